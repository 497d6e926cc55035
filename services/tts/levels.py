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
    "en": "The next question is about a project of yours, so take your time and tell me how it went.",
    "zh": "下一个问题是关于你做过的一个项目，请慢慢说，讲讲你是怎么完成的。",
}


def measure_gains(
    engines: Sequence[Synthesizer], target_lufs: float, file: Path
) -> dict[str, float]:
    """The linear gain that brings each voice to the target.

    What was measured before is read from `file`; what is new is measured by having the voice speak,
    which warms its engine up as well, and written there. The first voice of each engine speaks in
    any case.

    Args:
        engines: Whose voices.
        target_lufs: The loudness of all.
        file: JSON: loudness in LUFS by model, version and voice.
    """
    known = _read(file)
    gains: dict[str, float] = {}
    fresh = False
    for engine in engines:
        for number, voice in enumerate(engine.voices):
            key = f"{engine.model.name}/{engine.model.version}/{voice.id}"
            if number == 0 or key not in known:
                loudness = _loudness(engine, voice)
                if key not in known and math.isfinite(loudness):
                    known[key] = loudness
                    fresh = True
            gains[voice.id] = gain_to(target_lufs, known.get(key, -math.inf))
    if fresh:
        _write(file, known)
    return gains


def _loudness(engine: Synthesizer, voice: Voice) -> float:
    line = next((text for tag, text in _LINES.items() if voice.speaks(tag)), _LINES["en"])
    utterance = normalize(line)
    assert utterance is not None
    speech = engine.synthesize([SpeechRequest(utterance, voice.id)])[0]
    if not isinstance(speech, Speech):
        # A voice that needs a reference cannot be measured before it has one.
        return -math.inf
    return integrated_loudness(speech.samples, speech.sample_rate_hz)


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
