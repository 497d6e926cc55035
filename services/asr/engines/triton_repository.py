"""Makes the Triton model repository that the engine triton talks to.

`python -m services.asr.engines.triton_repository --out DIR` writes it for the configured model;
Triton needs ctranslate2 and faster-whisper in the environment of its Python backend.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from services.asr.engines.selection import model_folder, model_name
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.settings import AsrSettings
from services.runtime import device_memory
from services.runtime.errors import ResourceMissing

_CONFIG = """\
name: "{name}"
backend: "python"
# The recognition server makes the batches; each request is one.
max_batch_size: 0
input [
  {{ name: "samples" data_type: TYPE_FP32 dims: [ -1, -1 ] }},
  {{ name: "lengths" data_type: TYPE_INT32 dims: [ -1 ] }},
  {{ name: "options" data_type: TYPE_STRING dims: [ -1 ] }}
]
output [ {{ name: "hypotheses" data_type: TYPE_STRING dims: [ -1 ] }} ]
instance_group [ {{ count: {instances} kind: {kind} }} ]
{parameters}"""
_PARAMETER = 'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
# What the backend needs of this package; none of it imports anything outside.
_ENGINE_FILES = (
    "__init__.py",
    "engine.py",
    "guards.py",
    "languages.py",
    "triton_wire.py",
    "whisper_ctranslate2.py",
    "whisper_prompt.py",
    "whisper_words.py",
)


def write_repository(
    out: Path,
    *,
    name: str,
    weights: Path,
    model: str,
    version: str = "",
    device: str = "cpu",
    compute_type: str = "int8",
    instances: int = 1,
    threads: int = 2,
) -> None:
    """Writes a model repository with one model, version 1. Loads the weights once to look at them.

    Args:
        out: The repository; the model's own folder in it is replaced.
        name: The model's name in Triton.
        weights: A Whisper model in CTranslate2's format, copied into the repository.
        model: What requests to the recognition server call it.
        version: The weights' version.
        device: "cpu" or "cuda".
        compute_type: CTranslate2's name of the arithmetic.
        instances: Batches that run at the same time.
        threads: Threads of each.

    Raises:
        RuntimeError: The weights can't be loaded.
    """
    engine = WhisperCTranslate2(weights, name=model, threads=1)
    languages = engine.info.languages
    engine.close()
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    engines = folder / "1" / "services" / "asr" / "engines"
    engines.mkdir(parents=True)
    here = Path(__file__).parent
    for file in _ENGINE_FILES:
        shutil.copyfile(here / file, engines / file)
    shutil.copyfile(here / "triton_backend.py", folder / "1" / "model.py")
    runtime = folder / "1" / "services" / "runtime"
    runtime.mkdir()
    shutil.copyfile(device_memory.__file__, runtime / "device_memory.py")
    shutil.copytree(weights, folder / "1" / "weights")
    parameters = {
        "name": model,
        "version": version,
        "languages": ",".join(languages),
        "compute_type": compute_type,
        "threads": str(threads),
    }
    (folder / "config.pbtxt").write_text(
        _CONFIG.format(
            name=name,
            instances=instances,
            kind="KIND_CPU" if device == "cpu" else "KIND_GPU",
            parameters="".join(
                _PARAMETER.format(key=key, value=value) for key, value in parameters.items()
            ),
        ),
        encoding="utf-8",
    )


def main() -> None:
    """Writes the repository of the model that VIVA_ASR_… names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the repository's folder")
    parser.add_argument("--instances", type=int, default=1, help="batches at the same time")
    arguments = parser.parse_args()
    settings = AsrSettings()
    choice = settings.choices()[0]
    try:
        folder, version = model_folder(choice.model, settings.data_dir)
    except ResourceMissing as error:
        sys.exit(str(error))
    write_repository(
        arguments.out,
        name=settings.triton_model,
        weights=folder,
        model=model_name(choice.model),
        version=version,
        device=choice.device.partition(":")[0],
        compute_type=choice.compute_type,
        instances=arguments.instances,
        threads=settings.threads,
    )


if __name__ == "__main__":
    main()
