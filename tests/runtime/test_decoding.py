"""Whole recordings: every accepted kind is read, everything wrong is named."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from services.runtime.audio.decoding import Recording, open_recording
from services.runtime.errors import InvalidFields

UNSPECIFIED = serving_pb2.AUDIO_ENCODING_UNSPECIFIED
S16 = serving_pb2.AUDIO_ENCODING_PCM_S16LE
F32 = serving_pb2.AUDIO_ENCODING_PCM_F32LE
WAV = serving_pb2.AUDIO_ENCODING_WAV
FLAC = serving_pb2.AUDIO_ENCODING_FLAC
OPUS = serving_pb2.AUDIO_ENCODING_OGG_OPUS
CONTAINERS = {WAV: ("WAV", "PCM_16"), FLAC: ("FLAC", "PCM_16"), OPUS: ("OGG", "OPUS")}


def tone(seconds: float, rate: int, channels: int = 1) -> pcm.Float32:
    times = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 440 * times)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def file(kind: serving_pb2.AudioEncoding.ValueType, samples: pcm.Float32, rate: int) -> bytes:
    container, subtype = CONTAINERS[kind]
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=container, subtype=subtype)
    return out.getvalue()


def shape(
    encoding: int = 0, rate: int | None = None, channels: int | None = None
) -> serving_pb2.AudioFormat:
    return serving_pb2.AudioFormat(
        encoding=serving_pb2.AudioEncoding.ValueType(encoding),
        sample_rate_hz=rate,
        channels=channels,
    )


def read(audio: bytes, audio_format: serving_pb2.AudioFormat | None = None) -> pcm.Float32:
    with open_recording(audio, audio_format or shape(), target_hz=16_000) as recording:
        return np.concatenate(list(recording.blocks()))


def fault(audio: bytes, audio_format: serving_pb2.AudioFormat | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidFields) as caught:
        read(audio, audio_format)
    [(field, description)] = caught.value.violations
    return field, description


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_files_are_detected_mixed_and_resampled(
    kind: serving_pb2.AudioEncoding.ValueType, rate: int, channels: int
) -> None:
    samples = read(file(kind, tone(1.5, rate, channels), rate))
    assert len(samples) == pytest.approx(24_000, abs=400)
    middle = samples[4_000:20_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)
    assert np.max(np.abs(middle)) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("encoding", "to_bytes"), [(S16, pcm.s16le_from_float), (F32, lambda s: s.tobytes())]
)
def test_raw_samples_are_read_as_their_format_says(
    encoding: int, to_bytes: Callable[[pcm.Float32], bytes]
) -> None:
    samples = read(to_bytes(tone(1, 44_100, 2)), shape(encoding, 44_100, 2))
    assert len(samples) == pytest.approx(16_000, abs=2)
    assert np.max(np.abs(samples)) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_truncated_file_is_refused(kind: serving_pb2.AudioEncoding.ValueType) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 32_000).astype(np.float32)
    audio = file(kind, noise, 16_000)
    field, description = fault(audio[: len(audio) * 2 // 3])
    assert field == "audio"
    assert "truncated" in description or "damaged" in description


def test_a_wav_from_a_pipe_has_no_length_and_is_read_to_its_end() -> None:
    audio = bytearray(file(WAV, tone(1, 16_000), 16_000))
    position = audio.index(b"data") + 4
    audio[position : position + 4] = b"\xff\xff\xff\xff"
    audio[4:8] = b"\xff\xff\xff\xff"
    assert len(read(bytes(audio))) == 16_000


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_file_without_samples_is_refused(kind: serving_pb2.AudioEncoding.ValueType) -> None:
    field, _ = fault(file(kind, tone(0, 16_000), 16_000))
    assert field == "audio"


def test_what_the_caller_says_must_agree_with_the_file() -> None:
    audio = file(WAV, tone(0.5, 16_000), 16_000)
    assert fault(audio, shape(WAV, rate=8_000))[0] == "format.sample_rate_hz"
    assert fault(audio, shape(WAV, channels=2))[0] == "format.channels"
    assert fault(audio, shape(FLAC))[0] == "format.encoding"
    assert fault(audio, shape(S16, rate=16_000))[0] == "format.encoding"
    assert len(read(audio, shape(WAV, 16_000, 1))) == 8_000


def test_what_is_no_recording_is_refused() -> None:
    assert fault(b"once upon a time" * 100)[0] == "audio"
    assert fault(b"RIFF\0\0\0\0WAVE")[0] == "audio"
    assert fault(b"fLaC" + b"\0" * 100)[0] == "audio"
    assert fault(b"OggS" + b"\0" * 24 + b"OpusHead" + b"\0" * 50)[0] == "audio"
    vorbis = io.BytesIO()
    soundfile.write(vorbis, tone(0.2, 16_000), 16_000, format="OGG", subtype="VORBIS")
    assert fault(vorbis.getvalue())[0] == "audio"


def test_raw_samples_need_a_rate_and_whole_frames() -> None:
    assert fault(b"\0\0" * 100, shape(S16))[0] == "format.sample_rate_hz"
    assert fault(b"\0" * 101, shape(S16, 16_000))[0] == "audio"
    assert fault(b"\0" * 102, shape(S16, 16_000, 2))[0] == "audio"


def test_a_rate_outside_the_contract_is_refused() -> None:
    assert fault(file(WAV, tone(0.5, 96_000), 96_000))[0] == "audio"


def test_more_channels_than_the_contract_has_are_refused() -> None:
    assert len(read(file(WAV, tone(0.5, 16_000, 8), 16_000))) == 8_000
    assert fault(file(WAV, tone(0.5, 16_000, 9), 16_000))[0] == "audio"


def test_floats_that_are_no_sound_do_not_come_through() -> None:
    broken = tone(1, 16_000)
    broken[[100, 200, 300], 0] = np.nan, np.inf, 50.0
    out = io.BytesIO()
    soundfile.write(out, broken, 16_000, format="WAV", subtype="FLOAT")
    samples = read(out.getvalue())
    assert np.abs(samples).max() <= 1
    assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(440, abs=1)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(CONTAINERS)), st.data())
def test_a_damaged_file_is_read_or_refused(
    kind: serving_pb2.AudioEncoding.ValueType, data: st.DataObject
) -> None:
    audio = bytearray(file(kind, tone(0.3, 16_000), 16_000))
    places = st.one_of(st.integers(0, 120), st.integers(0, len(audio) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        audio[place] = data.draw(st.integers(0, 255))
    try:
        samples = read(bytes(audio[: data.draw(st.integers(1, len(audio)))]))
    except InvalidFields:
        return
    assert np.isfinite(samples).all()


def test_a_long_recording_is_never_whole_in_memory() -> None:
    samples = np.zeros(600 * 8_000, dtype=np.int16).tobytes()
    with open_recording(samples, shape(S16, 8_000), target_hz=16_000) as recording:
        assert recording.seconds == 600
        sizes = [len(block) for block in recording.blocks()]
    assert sum(sizes) == pytest.approx(600 * 16_000, abs=4)
    assert max(sizes) <= 11 * 16_000


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_reader_that_stops_early_leaves_nothing_open(
    kind: serving_pb2.AudioEncoding.ValueType,
) -> None:
    audio = file(kind, tone(25, 16_000), 16_000)
    with open_recording(audio, shape(), target_hz=16_000) as recording:
        blocks = recording.blocks()
        assert len(next(blocks)) > 0
    del blocks


@pytest.mark.slow
@pytest.mark.parametrize("audio", [*CONTAINERS, S16])
def test_a_recording_closed_under_its_reader_ends(audio: int) -> None:
    samples = tone(120, 16_000)
    raw = audio == S16
    content = pcm.s16le_from_float(samples) if raw else file(_kind(audio), samples, 16_000)
    said = shape(S16, 16_000) if raw else shape()
    begun = threading.Event()
    heard = 0

    def read_on(recording: Recording) -> None:
        nonlocal heard
        for block in recording.blocks():
            heard += len(block)
            begun.set()

    with open_recording(content, said, target_hz=16_000) as recording:
        reader = threading.Thread(target=read_on, args=[recording])
        reader.start()
        begun.wait()
    reader.join()
    assert 0 < heard <= 121 * 16_000


def _kind(encoding: int) -> serving_pb2.AudioEncoding.ValueType:
    return serving_pb2.AudioEncoding.ValueType(encoding)
