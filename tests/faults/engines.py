"""The real model servers on engines that cost nothing, each behind a gate."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from viva.asr.v1 import asr_pb2_grpc
from viva.embed.v1 import embed_pb2_grpc
from viva.llm.v1 import llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2_grpc

from services.asr.engines import engine as asr
from services.asr.models import serving_models
from services.asr.servicer import AsrServicer
from services.asr.settings import AsrSettings
from services.embed.embedder import BatchLimits, embedding
from services.embed.engines import EngineInfo
from services.embed.servicer import EmbedServicer, ServedEncoder
from services.embed.tokenization import Tokenization, TokenizedText
from services.llm.chat import ChatEvent, ChatPrompt, Delta, Finish, FinishReason, Message, Usage
from services.llm.engines import ModelDescription
from services.llm.servicer import LlmServicer
from services.runtime.engine_health import EngineHealth
from services.runtime.server import Build, Service
from services.runtime.settings import ServerSettings
from services.tts.cache import SpeechCache
from services.tts.segment import Urgency
from services.tts.servicer import TtsServicer
from services.tts.speaker import Speaker
from services.tts.speech import Gender, Speech, SpeechRequest, TokenSpan, Voice
from services.tts.speech import Model as SpeechModel
from services.tts.voices import VoiceBook
from tests.faults.gate import Gate
from tests.faults.tones import ToneVad, read

MODEL = "cheap"
LINE_WORD_SECONDS = 0.03
"""The interviewer speaks fast, so that tests don't wait for it."""
FOLLOW_UP = " Which part of that would you do differently today?"
_RATE = 16_000
_DIMENSIONS = 32


class ToneRecognizer:
    """Reads tones."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.info = asr.EngineInfo(MODEL, "1", "tones", "cpu", ("en",), 1)

    def prepare(self, window: asr.Window) -> asr.Window:
        return window

    def batch_key(self, window: asr.Window) -> Hashable:
        return None

    def cost(self, window: asr.Window) -> float:
        return max(window.seconds, 0.1)

    def decode(self, windows: Sequence[asr.Window]) -> Sequence[asr.Hypothesis | Exception]:
        self._gate.passed()
        return [_hypothesis(window) for window in windows]

    def again(self, window: asr.Window, best: asr.Hypothesis) -> asr.Window | None:
        return None

    def close(self) -> None:
        """There is nothing to release."""


def _hypothesis(window: asr.Window) -> asr.Hypothesis:
    words = tuple(
        asr.HypothesisWord(f" {tone.word}", tone.start, tone.end, 0.95)
        for tone in read(window.samples)
    )
    text = "".join(word.text for word in words)
    return asr.Hypothesis(text, words, "en", 1.0, 0.95)


async def _complete(_: asr.Float32) -> float | None:
    """Whoever pauses has finished."""
    return 0.98


@asynccontextmanager
async def asr_server(gate: Gate) -> AsyncIterator[Sequence[Service]]:
    """Recognition of tones; one live stream at a time is all it has room for twice over."""
    settings = AsrSettings(port=0, turn_completion=False, max_live_streams=8)
    async with serving_models([ToneRecognizer(gate)], settings) as loaded:
        vad: Any = ToneVad()
        servicer = AsrServicer(replace(loaded, vad=vad, complete=_complete), settings)
        health = [model.health for model in loaded.models.values()]
        add = partial(asr_pb2_grpc.add_AsrServiceServicer_to_server, servicer)
        yield [Service("viva.asr.v1.AsrService", add, health)]


class Hum:
    """A voice that hums a note a word."""

    model = SpeechModel(MODEL, "1", "hum", "cpu", ("en-US",), 1)
    max_batch_size = 1
    voices: Sequence[Voice] = (
        Voice("joe", "Joe", "A hum.", ("en-US",), Gender.UNSPECIFIED, _RATE, loudness_lufs=-20.0),
    )

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        self._gate.passed()
        return [_hummed(len(request.utterance.tokens)) for request in requests]


def _hummed(words: int) -> Speech:
    size = round(LINE_WORD_SECONDS * _RATE)
    times = np.arange(words * size) / _RATE
    spans = tuple(TokenSpan(n, n * size, (n + 1) * size) for n in range(words))
    return Speech((0.2 * np.sin(2 * np.pi * 150 * times)).astype(np.float32), _RATE, spans)


@asynccontextmanager
async def tts_server(gate: Gate) -> AsyncIterator[Sequence[Service]]:
    """A humming voice, which makes every line anew."""
    engine = Hum(gate)
    async with Speaker(VoiceBook([engine], "joe"), [engine], SpeechCache(0), {}) as speaker:
        servicer = TtsServicer(speaker, [engine], Urgency())
        add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
        yield [Service("viva.tts.v1.TtsService", add, list(speaker.health.values()))]


class Parrot:
    """A model that always asks the same."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.health = EngineHealth("llm-cheap", probe=self._probe)

    async def _probe(self) -> None:
        await self._gate.passed_async()

    def describe(self) -> ModelDescription:
        return ModelDescription(MODEL, "1", "parrot", "cpu", ("en",), 4096, 1, 1)

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        await self._passed()
        return sum(len(message.content.split()) for message in messages)

    async def chat(self, prompt: ChatPrompt) -> AsyncGenerator[ChatEvent, None]:
        await self._passed()
        pieces = FOLLOW_UP.split(" ")[1:]
        for piece in pieces:
            yield Delta(f" {piece}")
        yield Finish(FinishReason.STOP, Usage(1, 0, len(pieces)), 0.0, 0.0, 1)

    async def _passed(self) -> None:
        try:
            await self._gate.passed_async()
        except RuntimeError as error:
            self.health.report(error)
            raise
        self.health.report(None)


@asynccontextmanager
async def llm_server(gate: Gate) -> AsyncIterator[Sequence[Service]]:
    """A parrot."""
    engine = Parrot(gate)
    add = partial(llm_pb2_grpc.add_LlmServiceServicer_to_server, LlmServicer(engine))
    yield [Service("viva.llm.v1.LlmService", add, engine.health)]


class HashEncoder:
    """Texts with the same pairs of letters are near each other."""

    info = EngineInfo("hashes", "cpu", 1)
    dimensions = _DIMENSIONS

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        self._gate.passed()
        rows = np.full((len(batch), _DIMENSIONS), 1e-3, dtype=np.float32)
        for row, text in zip(rows, batch, strict=True):
            for pair in zip(text.ids, text.ids[1:], strict=False):
                row[zlib.crc32(bytes(pair)) % _DIMENSIONS] += 1
        return rows

    def close(self) -> None:
        """There is nothing to release."""


def _letters() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


@asynccontextmanager
async def embed_server(gate: Gate) -> AsyncIterator[Sequence[Service]]:
    """Hashes instead of meanings."""
    limits = BatchLimits(
        size=64, tokens=100_000, seconds=10.0, wait=0.0, queue=4096, queue_bytes=1 << 26, workers=1
    )
    tokens = Tokenization(_letters(), 512, {})
    async with embedding(HashEncoder(gate), tokens, limits) as embedder:
        card = serving_pb2.ModelInfo(name=MODEL, engine="hashes", device="cpu", is_default=True)
        servicer = EmbedServicer(ServedEncoder(card, _DIMENSIONS, embedder), None)
        add = partial(embed_pb2_grpc.add_EmbedServiceServicer_to_server, servicer)
        yield [Service("viva.embed.v1.EmbedService", add, embedder.health)]


SERVERS: dict[str, Callable[[Gate], AbstractAsyncContextManager[Sequence[Service]]]] = {
    "asr": asr_server,
    "tts": tts_server,
    "llm": llm_server,
    "embed": embed_server,
}
"""The cheap model servers, by name."""


def build(name: str, gate: Gate) -> Build:
    """A model server behind a gate."""
    return partial(SERVERS[name], gate)


def settings(**more: Any) -> ServerSettings:
    """Of a server that stops soon."""
    return ServerSettings(**{"lame_duck_seconds": 0, "drain_seconds": 5, **more})
