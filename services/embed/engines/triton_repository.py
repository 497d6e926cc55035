"""Makes the Triton model repository that the engine triton talks to.

`python -m services.embed.engines.triton_repository --out DIR` writes it for the configured model;
Triton needs `ctranslate2` in the environment of its Python backend.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from services.embed.engines.ctranslate2 import prepare
from services.embed.engines.selection import model_files
from services.embed.pooling import Pooling
from services.embed.settings import EmbedSettings
from services.runtime import device_memory
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore

_CONFIG = """\
name: "{name}"
backend: "python"
# The embedding server makes the batches; each request is one, with its own padding.
max_batch_size: 0
input [
  {{ name: "ids" data_type: TYPE_INT32 dims: [ -1, -1 ] }},
  {{ name: "lengths" data_type: TYPE_INT32 dims: [ -1 ] }}
]
output [ {{ name: "vectors" data_type: TYPE_FP32 dims: [ -1, {dimensions} ] }} ]
instance_group [ {{ count: {instances} kind: {kind} }} ]
parameters {{ key: "pooling" value {{ string_value: "{pooling}" }} }}
parameters {{ key: "threads" value {{ string_value: "{threads}" }} }}
"""


def write_repository(
    out: Path,
    *,
    name: str,
    weights: Path,
    dimensions: int,
    pooling: Pooling,
    device: str = "cpu",
    instances: int = 1,
    threads: int = 1,
) -> None:
    """Writes a model repository with one model, version 1.

    Args:
        out: The repository; the model's own folder in it is replaced.
        name: The model's name in Triton.
        weights: A CTranslate2 model, copied into the repository.
        dimensions: Length of its vectors.
        pooling: How a text's vector is made.
        device: "cpu" or "cuda".
        instances: Batches that run at the same time.
        threads: Threads of each.
    """
    model = out / name
    shutil.rmtree(model, ignore_errors=True)
    version = model / "1"
    version.mkdir(parents=True)
    (model / "config.pbtxt").write_text(
        _CONFIG.format(
            name=name,
            dimensions=dimensions,
            instances=instances,
            kind="KIND_CPU" if device == "cpu" else "KIND_GPU",
            pooling=pooling.value,
            threads=threads,
        ),
        encoding="utf-8",
    )
    shutil.copyfile(Path(__file__).with_name("triton_backend.py"), version / "model.py")
    runtime = version / "services" / "runtime"
    runtime.mkdir(parents=True)
    shutil.copyfile(device_memory.__file__, runtime / "device_memory.py")
    shutil.copytree(weights, version / "weights")


def main() -> None:
    """Writes the repository of the model that VIVA_EMBED_… names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the repository's folder")
    parser.add_argument("--instances", type=int, default=1, help="batches at the same time")
    arguments = parser.parse_args()
    settings = EmbedSettings()
    choice = settings.choice()
    try:
        files = model_files(settings)
        store = WeightsStore(settings.data_dir / "models")
        weights = prepare(store, files, choice.name, choice.compute_type)
    except ResourceMissing as error:
        sys.exit(str(error))
    write_repository(
        arguments.out,
        name=settings.triton_model,
        weights=weights,
        dimensions=int(files.config["hidden_size"]),
        pooling=files.pooling,
        device=choice.device.partition(":")[0],
        instances=arguments.instances,
    )


if __name__ == "__main__":
    main()
