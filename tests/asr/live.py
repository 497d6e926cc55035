"""Samples through the real models: streamed in virtual time, and as a whole recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from services.asr.decoding import Decode, Ticket
from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, Window, decode_fully
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.enhancement import Chain
from services.asr.recognition import RecognitionConfig, recognise
from services.asr.session import Session, StreamConfig
from services.asr.stream_input import Heard, Input
from services.asr.transcript import EndOfTurn, Partial
from services.asr.vad import SileroVad
from services.runtime.audio.decoding import Recording
from services.runtime.batching import Priority, Scheduled
from tests.runtime import virtual_time

PIECE = round(0.04 * SAMPLE_RATE)
DECODE_SECONDS = 0.3


def decoder(base: WhisperCTranslate2, seconds: float) -> Decode:
    async def decode(
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        [heard] = decode_fully(base, [window])
        assert isinstance(heard, Hypothesis)
        await asyncio.sleep(seconds)
        return Scheduled(heard, 0.0, seconds, 1)

    return decode


def streamed(
    samples: Float32, base: WhisperCTranslate2, vad: SileroVad
) -> tuple[list[Partial], list[EndOfTurn]]:
    """The partials and the ends of a stream in which nothing takes longer than it does live."""
    voice = vad.stream()

    async def inputs() -> AsyncGenerator[Input, None]:
        for start in range(0, len(samples), PIECE):
            piece = samples[start : start + PIECE]
            await asyncio.sleep(len(piece) / SAMPLE_RATE)
            yield Heard(piece, voice.feed(piece))

    async def listen() -> tuple[list[Partial], list[EndOfTurn]]:
        config = StreamConfig(endpointing=EndpointingConfig())
        async with Session(config, inputs(), decoder(base, DECODE_SECONDS)) as session:
            events = [told.event async for told in session.events()]
        partials = [event for event in events if isinstance(event, Partial)]
        return partials, [event for event in events if isinstance(event, EndOfTurn)]

    return virtual_time.run(listen())


class InMemory:
    def __init__(self, samples: Float32) -> None:
        self._samples = samples

    def blocks(self) -> Iterator[Float32]:
        for start in range(0, len(self._samples), 10 * SAMPLE_RATE):
            yield self._samples[start : start + 10 * SAMPLE_RATE]


def whole(samples: Float32, base: WhisperCTranslate2, vad: SileroVad) -> str:
    async def recognised() -> str:
        with ThreadPoolExecutor(1) as executor:
            found = await recognise(
                cast("Recording", InMemory(samples)),
                RecognitionConfig(),
                vad=vad.stream(),
                enhance=Chain([]),
                decode=decoder(base, 0.0),
                silent=lambda: None,
                executor=executor,
            )
        return found.text

    return asyncio.run(recognised())
