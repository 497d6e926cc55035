"""A stream's timeline: chunks of any size, gaps, overlaps, G.711."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from viva.serving.v1 import serving_pb2

from services.asr.decoding import Ticket
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, Window
from services.asr.enhancement import Chain
from services.asr.frontend import FrontEnd
from services.asr.session import Session, StreamConfig
from services.asr.stream_input import Heard, Input
from services.asr.transcript import EndOfTurn, SpeechStarted
from services.asr.vad import SileroVad
from services.runtime.audio import g711, pcm
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import InvalidField
from services.runtime.stats import duration
from tests.asr.audio import read_wav, silence
from tests.recordings import librivox

RAW = serving_pb2.AudioFormat(sample_rate_hz=SAMPLE_RATE)
Sent = tuple[int, int]
"""A chunk: its first sample and the sample behind its last."""


def chunks(samples: Float32, spans: Sequence[Sent]) -> list[serving_pb2.AudioChunk]:
    return [
        serving_pb2.AudioChunk(
            audio=pcm.s16le_from_float(samples[first:last]), offset=duration(first / SAMPLE_RATE)
        )
        for first, last in spans
        if last > first
    ]


def hear(ear: FrontEnd, sent: Sequence[serving_pb2.AudioChunk]) -> list[Heard]:
    heard = [ear.hear(piece) for chunk in sent for piece in ear.place(chunk)]
    return [*heard, ear.flush()]


def joined(heard: Sequence[Heard]) -> tuple[Float32, Float32]:
    return (
        np.concatenate([piece.samples for piece in heard]),
        np.concatenate([piece.probabilities for piece in heard]),
    )


def speech() -> Float32:
    """A sentence, then silence enough for its end."""
    return np.concatenate([read_wav(librivox()[4].path), silence(1.0)])


cuts = st.lists(st.integers(1, 60_000), max_size=12)
overlaps = st.lists(st.integers(0, 4_000), min_size=13, max_size=13)


@settings(max_examples=15, deadline=None)
@given(cuts, overlaps)
def test_chunks_of_any_size_that_overlap_are_heard_like_the_whole(
    sizes: list[int], back: list[int]
) -> None:
    vad = SileroVad()
    samples = speech()
    bounds = sorted({0, *(size % len(samples) for size in sizes), len(samples)})
    spans = [
        (max(0, first - again), last)
        for first, last, again in zip(bounds, bounds[1:], back, strict=False)
    ]
    whole = joined(
        hear(
            FrontEnd(RAW, vad.stream(), Chain([])),
            chunks(samples, spans[:0])
            or [serving_pb2.AudioChunk(audio=pcm.s16le_from_float(samples))],
        )
    )
    pieces = joined(hear(FrontEnd(RAW, vad.stream(), Chain([])), chunks(samples, spans)))
    np.testing.assert_array_equal(pieces[0], whole[0])
    np.testing.assert_allclose(pieces[1], whole[1], atol=1e-4)


class Mute:
    """A model that hears a word in everything."""

    async def __call__(
        self,
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        return Scheduled(Hypothesis(" word", (), "en", 0.9, 0.9), 0.0, 0.0, 1)


async def turns(sent: Sequence[serving_pb2.AudioChunk], vad: SileroVad) -> list[float]:
    """When turns start and end."""
    ear = FrontEnd(RAW, vad.stream(), Chain([]))

    async def inputs() -> AsyncGenerator[Input, None]:
        for heard in hear(ear, sent):
            yield heard

    config = StreamConfig(EndpointingConfig(), partials=False)
    found: list[float] = []
    async with Session(config, inputs(), Mute()) as session:
        async for told in session.events():
            match told.event:
                case SpeechStarted(start):
                    found.append(start)
                case EndOfTurn(said):
                    found.append(said.end)
    return found


@settings(max_examples=10, deadline=None)
@given(gap=st.integers(0, 40), lost=st.booleans())
def test_a_gap_shifts_what_follows_by_its_length_and_loses_nothing(gap: int, lost: bool) -> None:
    vad = SileroVad()
    samples = speech()
    # A whole number of frames, so that the voice activity sees the same frames.
    shift = gap * 512 * 25
    late = np.concatenate([np.zeros(shift, dtype=np.float32), samples])
    first = asyncio.run(turns(chunks(late, [(0, len(late))]), vad))
    spans = [(shift, len(late))] if lost else [(0, shift // 2), (shift, len(late))]
    with_gap = asyncio.run(turns(chunks(late, spans), vad))
    assert with_gap == pytest.approx(first, abs=0.033)


def test_a_gap_in_mid_turn_ends_the_turn_as_silence_would(vad: SileroVad) -> None:
    samples = read_wav(librivox()[4].path)
    half = len(samples) // 2
    apart = chunks(samples, [(0, half)])
    later = serving_pb2.AudioChunk(
        audio=pcm.s16le_from_float(samples[half:]), offset=duration(half / SAMPLE_RATE + 30)
    )
    found = asyncio.run(turns([*apart, later], vad))
    assert len(found) >= 4
    assert found[-2] > half / SAMPLE_RATE + 29.5
    assert found[-1] == pytest.approx(len(samples) / SAMPLE_RATE + 30, abs=0.5)


def test_a_gap_that_is_too_long_is_refused_by_name(vad: SileroVad) -> None:
    ear = FrontEnd(RAW, vad.stream(), Chain([]), max_gap=10)
    ear.place(serving_pb2.AudioChunk(audio=bytes(3_200)))
    with pytest.raises(InvalidField, match="at most 10 s") as caught:
        ear.place(serving_pb2.AudioChunk(audio=b"\0\0", offset=duration(10.2)))
    assert caught.value.violations[0][0] == "audio.offset"


def test_what_was_sent_already_is_ignored(vad: SileroVad) -> None:
    ear = FrontEnd(RAW, vad.stream(), Chain([]))
    assert ear.place(serving_pb2.AudioChunk(audio=bytes(3_200))) == [bytes(3_200)]
    assert ear.place(serving_pb2.AudioChunk(audio=bytes(3_200), offset=duration(0))) == []
    again = serving_pb2.AudioChunk(audio=bytes(3_200), offset=duration(0.05))
    assert ear.place(again) == [bytes(1_600)]
    assert ear.seconds == pytest.approx(0.15)


@pytest.mark.parametrize("size", [2, 6, 10, 44, 3_200])
def test_a_file_is_refused_however_small_its_chunks_are(vad: SileroVad, size: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, silence(0.1), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    data = file.getvalue()
    ear = FrontEnd(RAW, vad.stream(), Chain([]))
    with pytest.raises(InvalidField, match="begins as a WAV file") as caught:
        for first in range(0, len(data), size):
            ear.place(serving_pb2.AudioChunk(audio=data[first : first + size]))
    assert caught.value.violations[0][0] == "config.format.encoding"


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("law", ["mu", "a"])
def test_telephone_samples_are_heard(vad: SileroVad, law: str, channels: int) -> None:
    narrow = pcm.StreamResampler(16_000, 8_000).feed(speech(), last=True)
    samples = np.repeat(narrow, channels)
    encode = g711.mulaw_from_float if law == "mu" else g711.alaw_from_float
    shape = serving_pb2.AudioFormat(
        encoding=serving_pb2.AUDIO_ENCODING_MULAW
        if law == "mu"
        else serving_pb2.AUDIO_ENCODING_ALAW,
        sample_rate_hz=8_000,
        channels=channels,
    )
    ear = FrontEnd(shape, vad.stream(), Chain([]))
    heard, probabilities = joined(hear(ear, [serving_pb2.AudioChunk(audio=encode(samples))]))
    again = pcm.StreamResampler(8_000, 16_000).feed(narrow, last=True)
    assert np.abs(heard - again).max() < 0.05
    assert np.mean(probabilities > 0.5) > 0.5
