"""Synthesis, generation and embedding that take their time and do no work."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import grpc
import numpy as np
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.simulated.delays import Delays
from services.cli.bench.simulated.recogniser import Recogniser
from services.cli.bench.simulated.work import Work
from services.runtime.server import Build, Service
from services.runtime.stats import duration

RATE_HZ = 16_000
WORD_SECONDS = 0.35
PHRASE_WORDS = 6
SAMPLE = (4096).to_bytes(2, "little")
DIMENSIONS = 64
FOLLOW_UP = "How did you measure that the change really helped?"
MODEL = serving_pb2.ModelInfo(name="simulated", ready=True, is_default=True)
STATS = serving_pb2.Stats(model="simulated")

_Context = grpc.aio.ServicerContext


class Synthesiser(tts_pb2_grpc.TtsServiceServicer):
    """`TtsService`."""

    def __init__(self, delays: Delays, work: Work, word_seconds: float) -> None:
        self._delays = delays
        self._work = work
        self._word_seconds = word_seconds

    async def ListVoices(
        self,
        request: tts_pb2.ListVoicesRequest,
        context: _Context[tts_pb2.ListVoicesRequest, tts_pb2.ListVoicesResponse],
    ) -> tts_pb2.ListVoicesResponse:
        """The voices that the interview's personas ask for are all the same one."""
        voice = tts_pb2.Voice(
            id="simulated", languages=["en"], sample_rate_hz=RATE_HZ, is_default=True
        )
        return tts_pb2.ListVoicesResponse(voices=[voice])

    async def StreamingSynthesize(
        self,
        request_iterator: AsyncIterator[tts_pb2.StreamingSynthesizeRequest],
        context: _Context[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse],
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speaks each segment once it is whole."""
        texts: dict[str, str] = {}
        rate = RATE_HZ
        async for request in request_iterator:
            if request.HasField("config"):
                rate = request.config.format.sample_rate_hz or RATE_HZ
            if not request.HasField("text"):
                continue
            name = request.text.segment_id
            texts[name] = texts.get(name, "") + request.text.text
            if not request.text.last:
                continue
            clock = 0.0
            for number, chunk in enumerate(
                _chunks(texts.pop(name), name, rate, self._word_seconds)
            ):
                length = chunk.duration.ToMilliseconds() / 1000
                first = number == 0
                await self._work.take(
                    self._delays.first_phrase if first else self._delays.synthesis * length
                )
                clock += length
                yield tts_pb2.StreamingSynthesizeResponse(chunk=chunk)
            done = tts_pb2.SegmentDone(
                segment_id=name,
                outcome=tts_pb2.SEGMENT_OUTCOME_COMPLETED,
                duration=duration(clock),
                stats=STATS,
            )
            yield tts_pb2.StreamingSynthesizeResponse(done=done)


def _chunks(text: str, segment: str, rate: int, each: float) -> Iterator[tts_pb2.SpeechChunk]:
    """A chunk a phrase, with every word as long as the others."""
    words, place = text.split(), 0
    for phrase, start in enumerate(range(0, len(words), PHRASE_WORDS)):
        marks = []
        for number, word in enumerate(words[start : start + PHRASE_WORDS], start):
            place = text.index(word, place)
            marks.append(
                tts_pb2.WordMark(
                    text=word,
                    text_offset=place,
                    start=duration(number * each),
                    end=duration((number + 1) * each),
                )
            )
            place += len(word)
        length = len(marks) * each
        yield tts_pb2.SpeechChunk(
            segment_id=segment,
            phrase=phrase,
            offset=duration(start * each),
            duration=duration(length),
            audio=SAMPLE * round(length * rate),
            words=marks,
            format=serving_pb2.AudioFormat(
                encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=rate, channels=1
            ),
        )


class Generator(llm_pb2_grpc.LlmServiceServicer):
    """`LlmService`."""

    def __init__(self, delays: Delays, work: Work) -> None:
        self._delays = delays
        self._work = work

    async def Chat(
        self,
        request: llm_pb2.ChatRequest,
        context: _Context[llm_pb2.ChatRequest, llm_pb2.ChatResponse],
    ) -> AsyncIterator[llm_pb2.ChatResponse]:
        """Asks the same question always."""
        words = FOLLOW_UP.split()[: request.max_tokens or None]
        for number, word in enumerate(words):
            await self._work.take(self._delays.token if number else self._delays.first_token)
            yield llm_pb2.ChatResponse(delta=llm_pb2.Delta(text=f" {word}" if number else word))
        usage = llm_pb2.Usage(prompt_tokens=1, completion_tokens=len(words))
        yield llm_pb2.ChatResponse(
            finish=llm_pb2.Finish(reason=llm_pb2.FINISH_REASON_STOP, usage=usage, stats=STATS)
        )


class Embedder(embed_pb2_grpc.EmbedServiceServicer):
    """`EmbedService`: texts that share words are near each other."""

    def __init__(self, delays: Delays, work: Work) -> None:
        self._delays = delays
        self._work = work

    async def Embed(
        self,
        request: embed_pb2.EmbedRequest,
        context: _Context[embed_pb2.EmbedRequest, embed_pb2.EmbedResponse],
    ) -> embed_pb2.EmbedResponse:
        """Counts of hashed words."""
        await self._work.take(self._delays.embedding)
        return embed_pb2.EmbedResponse(
            embeddings=[embed_pb2.Embedding(values=_vector(text)) for text in request.inputs],
            dimensions=DIMENSIONS,
            stats=STATS,
        )


def _vector(text: str) -> Sequence[float]:
    counts = np.full(DIMENSIONS, 1e-3)
    for word in text.lower().split():
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    values: list[float] = (counts / np.linalg.norm(counts)).tolist()
    return values


def engines(delays: Delays, work: Work, *, word_seconds: float = WORD_SECONDS) -> Build:
    """What `services.runtime.server.serving` serves: all four contracts from one process."""

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        yield [
            Service(
                asr_pb2.DESCRIPTOR.services_by_name["AsrService"].full_name,
                partial(asr_pb2_grpc.add_AsrServiceServicer_to_server, Recogniser(delays, work)),
            ),
            Service(
                tts_pb2.DESCRIPTOR.services_by_name["TtsService"].full_name,
                partial(
                    tts_pb2_grpc.add_TtsServiceServicer_to_server,
                    Synthesiser(delays, work, word_seconds),
                ),
            ),
            Service(
                llm_pb2.DESCRIPTOR.services_by_name["LlmService"].full_name,
                partial(llm_pb2_grpc.add_LlmServiceServicer_to_server, Generator(delays, work)),
            ),
            Service(
                embed_pb2.DESCRIPTOR.services_by_name["EmbedService"].full_name,
                partial(embed_pb2_grpc.add_EmbedServiceServicer_to_server, Embedder(delays, work)),
            ),
        ]

    return build
