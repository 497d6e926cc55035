"""Samples written piece by piece can be read again as one file."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
import soundfile

from services.runtime.audio.encoding import Encoding, encodable_rate, open_encoder
from services.runtime.audio.pcm import Float32, float_from_f32le, float_from_s16le

RATE = 24_000


def tone(seconds: float = 1.5) -> Float32:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def encoded(encoding: Encoding, samples: Float32, piece: int = 2400) -> list[bytes]:
    encoder = open_encoder(encoding, RATE)
    pieces = [encoder.encode(samples[i : i + piece]) for i in range(0, len(samples), piece)]
    return [*pieces, encoder.close()]


def test_raw_encodings_hold_the_samples() -> None:
    samples = tone()

    s16 = float_from_s16le(b"".join(encoded(Encoding.PCM_S16LE, samples)))
    f32 = float_from_f32le(b"".join(encoded(Encoding.PCM_F32LE, samples)))

    np.testing.assert_allclose(s16, samples, atol=1e-4)
    np.testing.assert_array_equal(f32, samples)


@pytest.mark.parametrize("encoding", [Encoding.WAV, Encoding.FLAC])
def test_lossless_files_are_read_back_whole(encoding: Encoding) -> None:
    samples = tone()

    data, rate = soundfile.read(io.BytesIO(b"".join(encoded(encoding, samples))), dtype="float32")

    assert rate == RATE
    np.testing.assert_allclose(data, samples, atol=1e-4)


def test_opus_keeps_length_and_tone() -> None:
    samples = tone()

    data, rate = soundfile.read(io.BytesIO(b"".join(encoded(Encoding.OGG_OPUS, samples))))

    spectrum = np.abs(np.fft.rfft(data))
    assert rate in {RATE, 48_000}
    assert len(data) / rate == pytest.approx(1.5, abs=0.03)
    assert np.argmax(spectrum) * rate / len(data) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("encoding", [Encoding.WAV, Encoding.OGG_OPUS])
def test_a_file_streams_while_it_is_made(encoding: Encoding) -> None:
    pieces = encoded(encoding, tone(3))

    assert sum(map(len, pieces[:20])) > 0.3 * sum(map(len, pieces))


def test_a_streamed_wav_opens_in_the_standard_library() -> None:
    samples = tone()

    with wave.open(io.BytesIO(b"".join(encoded(Encoding.WAV, samples)))) as file:
        assert file.getframerate() == RATE
        frames = file.readframes(len(samples) + 1)

    assert len(frames) == 2 * len(samples)


@pytest.mark.parametrize("encoding", [Encoding.WAV, Encoding.OGG_OPUS])
def test_nothing_but_an_end_is_still_a_file(encoding: Encoding) -> None:
    data = b"".join(encoded(encoding, np.zeros(0, np.float32)))

    assert data[:4] in {b"RIFF", b"OggS"}


def test_samples_beyond_full_scale_are_clipped_not_wrapped() -> None:
    data = b"".join(encoded(Encoding.FLAC, np.full(4800, 1.7, np.float32)))

    assert soundfile.read(io.BytesIO(data))[0].min() > 0.99


def test_opus_takes_its_own_rates_only() -> None:
    assert encodable_rate(Encoding.OGG_OPUS, 22_050) == 24_000
    assert encodable_rate(Encoding.OGG_OPUS, 44_100) == 48_000
    assert encodable_rate(Encoding.FLAC, 22_050) == 22_050
    with pytest.raises(ValueError, match="22050"):
        open_encoder(Encoding.OGG_OPUS, 22_050)
