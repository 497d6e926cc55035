"""Silence around phrases: cut from their edges, put between them on purpose."""

from __future__ import annotations

import numpy as np

from services.runtime.audio.pcm import Float32

_FRAME_SECONDS = 0.01
# A frame this far under the loudest is silence; weak consonants lie some 35 dB under.
_SILENCE_DB = -46.0
_LEAD_SECONDS = 0.03
_TAIL_SECONDS = 0.06
_FADE_SECONDS = 0.003

_PAUSE_SECONDS = {
    "": 0.0, ",": 0.14, "—": 0.2, ":": 0.22, ";": 0.22, ".": 0.3, "!": 0.3, "?": 0.32, "…": 0.38,
}  # fmt: skip


def pause_after(ending: str, *, factor: float, speed: float) -> float:
    """Seconds of silence after a phrase, before the next.

    Args:
        ending: The mark it ends with, or nothing.
        factor: The style's.
        speed: Quick speech pauses briefly.
    """
    return _PAUSE_SECONDS.get(ending, 0.0) * factor / speed


def voiced_region(samples: Float32, sample_rate_hz: int) -> tuple[int, int]:
    """Where sound begins and ends, in samples; (0, 0) if there is none."""
    frame = max(1, round(_FRAME_SECONDS * sample_rate_hz))
    count = len(samples) // frame
    if count == 0:
        return (0, len(samples)) if len(samples) and np.abs(samples).max() > 1e-4 else (0, 0)
    power = np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1)
    floor = max(float(power.max()) * 10 ** (_SILENCE_DB / 10), 1e-10)
    loud = np.flatnonzero(power > floor)
    if not len(loud):
        return (0, 0)
    last = int(loud[-1]) + 1
    return int(loud[0]) * frame, len(samples) if last == count else last * frame


def trim(samples: Float32, sample_rate_hz: int) -> tuple[Float32, int]:
    """The samples with the silence at their edges cut to a constant, and how many went in front."""
    begin, end = voiced_region(samples, sample_rate_hz)
    start = max(0, begin - round(_LEAD_SECONDS * sample_rate_hz))
    stop = min(len(samples), end + round(_TAIL_SECONDS * sample_rate_hz))
    kept = samples[start:stop].copy()
    fade = min(round(_FADE_SECONDS * sample_rate_hz), len(kept) // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        kept[:fade] *= ramp
        kept[-fade:] *= ramp[::-1]
    return kept, start
