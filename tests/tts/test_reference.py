"""Recordings of a voice to imitate: what is taken, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from services.runtime.audio.pcm import Float32
from services.runtime.errors import InvalidFields
from services.tts.reference import read_reference


def voice(seconds: float, rate: int = 16_000, level: float = 0.1) -> Float32:
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


def file(
    samples: Float32, kind: str = "WAV", rate: int = 16_000, subtype: str | None = None
) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_a_recording_is_read_at_one_rate(kind: str, rate: int) -> None:
    reference = read_reference(file(voice(4, rate), kind, rate), "hello")

    assert reference.sample_rate_hz == 22_050
    assert len(reference.samples) == pytest.approx(4 * 22_050, abs=2)
    assert reference.transcript == "hello"


def test_equal_recordings_are_known_by_their_digest() -> None:
    first, again = (read_reference(file(voice(4)), None) for _ in range(2))
    other = read_reference(file(voice(5)), None)

    assert first.digest == again.digest != other.digest


def test_two_channels_become_one_and_clipped_or_broken_floats_sound() -> None:
    loud = np.stack([voice(4, level=5.0), voice(4, level=5.0)], axis=1)
    loud[[10, 20]] = np.nan, np.inf

    reference = read_reference(file(loud, subtype="FLOAT"), None)

    assert reference.samples.ndim == 1
    assert np.isfinite(reference.samples).all()
    assert np.abs(reference.samples).max() < 1.5


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "no WAV"),
        (b"once upon a time" * 10_000, "no WAV"),
        (file(voice(4), "OGG"), "no WAV"),
        (file(voice(0)), "no samples"),
        (file(voice(2)), "3 to 30"),
        (file(voice(31)), "3 to 30"),
        (file(np.zeros(3600 * 8_000, np.float32), "FLAC", 8_000), "3 to 30"),
        (file(np.zeros(64_000, np.float32)), "silent"),
        (file(voice(10))[:200_000], "truncated"),
        (file(voice(10), "FLAC")[:20_000], ""),
        (file(voice(4, 96_000), rate=96_000), "96000 Hz"),
    ],
    ids=["empty", "text", "ogg", "no samples", "short", "long", "hour", "silent", "wav cut",
         "flac cut", "rate"],
)  # fmt: skip
def test_what_cannot_be_imitated_is_refused(audio: bytes, why: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_reference(audio, None)

    [(field, description)] = caught.value.violations
    assert field == "config.reference_voice.audio"
    assert why in description
