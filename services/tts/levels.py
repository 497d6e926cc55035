"""The gain of each voice, measured once and kept."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

from services.tts.loudness import gain_to, integrated_loudness
from services.tts.normalization import normalize
from services.tts.speech import Speech, SpeechRequest, Synthesizer, Voice

_LINES = {
    "en": "The next question is about a project of yours: take your time and tell me how it went.",
    "zh": "下一个问题是关于你做过的一个项目，请慢慢说，讲讲你是怎么完成的。",
}


def measure_gains(
    engines: Sequence[Synthesizer], target_lufs: float, file: Path
) -> dict[str, float]:
    """The linear gain that brings each voice to the target.

    A voice whose loudness is not known speaks a line once; what was measured is kept in `file`.

    Args:
        engines: Whose voices.
        target_lufs: The loudness of all.
        file: JSON: loudness in LUFS by model, version and voice.
    """
    measured = _read(file)
    gains: dict[str, float] = {}
    fresh = False
    for engine in engines:
        for voice in engine.voices:
            key = f"{engine.model.name}/{engine.model.version}/{voice.id}"
            loudness = voice.loudness_lufs if voice.loudness_lufs is not None else measured.get(key)
            if loudness is None:
                loudness = voice_loudness(engine, voice)
                if math.isfinite(loudness):
                    measured[key] = loudness
                    fresh = True
            gains[voice.id] = gain_to(target_lufs, loudness)
    if fresh:
        _write(file, measured)
    return gains


def voice_loudness(engine: Synthesizer, voice: Voice) -> float:
    """A voice's loudness in LUFS as its engine gives it; -inf when it does not speak."""
    line = next((text for tag, text in _LINES.items() if voice.speaks(tag)), _LINES["en"])
    speech = _say(engine, voice, line)
    # A voice that needs a reference cannot be measured before it has one.
    return integrated_loudness(speech.samples, speech.sample_rate_hz) if speech else -math.inf


def _say(engine: Synthesizer, voice: Voice, line: str) -> Speech | None:
    utterance = normalize(line)
    if utterance is None:
        return None
    speech = engine.synthesize([SpeechRequest(utterance, voice.id)])[0]
    return speech if isinstance(speech, Speech) else None


def _read(file: Path) -> dict[str, float]:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): float(value) for key, value in stored.items()}


def _write(file: Path, loudness: dict[str, float]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps(loudness, indent=1, sort_keys=True), encoding="utf-8")
    scratch.replace(file)
