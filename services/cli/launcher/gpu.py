"""What the servers' settings ask of CUDA, and whether it is there."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.asr.settings import AsrSettings
from services.embed.settings import EmbedSettings
from services.llm.settings import LlmSettings
from services.runtime.device import Device, not_usable, require
from services.runtime.errors import ResourceMissing
from services.runtime.settings import load
from services.tts.settings import TtsSettings

# What CTranslate2 loads at its first batch on a GPU: a server that lacks one starts, and fails.
_CTRANSLATE2_LOADS = ("libcublas.so.12", "libcudnn.so.9")
_REMEDY = "docs/gpu.md says what to install"


@dataclass(frozen=True, slots=True)
class OnGpu:
    """A server that is to compute on a GPU.

    Attributes:
        setting: The variable that says where.
        device: What it says, or the profile.
        library: What computes there: "ctranslate2", "torch" or "onnxruntime".
    """

    setting: str
    device: str
    library: str


def wanted() -> Iterator[OnGpu]:
    """Those that the settings of the four model servers put on a GPU."""
    chosen = []
    asr = load(AsrSettings)
    if asr.engine == "ctranslate2":
        chosen.append(OnGpu("VIVA_ASR_DEVICE", asr.choices()[0].device, "ctranslate2"))
    tts = load(TtsSettings)
    if tts.engines or tts.piper_models:
        chosen.append(OnGpu("VIVA_TTS_DEVICE", tts.place(), "onnxruntime"))
    if tts.coqui_models:
        chosen.append(OnGpu("VIVA_TTS_DEVICE", tts.place(), "torch"))
    # The openai engine's GPU is another program's, and so is Triton's.
    library = {"transformers": "torch", "ctranslate2": "ctranslate2", "onnxruntime": "onnxruntime"}
    llm = load(LlmSettings).choice()
    if llm.engine in library:
        chosen.append(OnGpu("VIVA_LLM_DEVICE", llm.device, library[llm.engine]))
    embed = load(EmbedSettings).choice()
    if embed.engine in library:
        chosen.append(OnGpu("VIVA_EMBED_DEVICE", embed.device, library[embed.engine]))
    return (each for each in chosen if Device.parse(each.device).kind == "cuda")


def lacking(wanted: OnGpu) -> ResourceMissing | None:
    """What a server lacks to compute there; None if nothing."""
    try:
        module = importlib.import_module(wanted.library)
    except ImportError as error:
        return not_usable(wanted.device, wanted.setting, f"{error.name} is not there", _REMEDY)
    match wanted.library:
        case "onnxruntime":
            if "CUDAExecutionProvider" in module.get_available_providers():
                return None
            why = "this onnxruntime runs on CPUs alone"
            return not_usable(wanted.device, wanted.setting, why, _REMEDY)
        case "torch":
            count = module.cuda.device_count
        case _:
            count = module.get_cuda_device_count
    try:
        require(wanted.device, wanted.setting, wanted.library, count)
    except ResourceMissing as error:
        return error
    if wanted.library == "ctranslate2":
        missing = [name for name in _CTRANSLATE2_LOADS if not _loads(name)]
        if missing:
            why = f"{' and '.join(missing)} cannot be loaded"
            return not_usable(wanted.device, wanted.setting, why, _REMEDY)
    return None


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
