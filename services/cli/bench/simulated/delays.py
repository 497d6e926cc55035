"""How long simulated engines take: what was measured of the real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import grpc
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.frame import percentile
from services.cli.bench.spoken import people
from services.cli.sound_card import RATE_HZ
from services.runtime.channel import outgoing

CALL_SECONDS = 30.0
REPEATS = 5
TEXT = "Number {}: which index did you add, and how did you know that it would help?"


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds of work. The defaults: the packaged models on two shared cores, medians.

    Attributes:
        recognition: From the beginning of a pause until the text before it is final: a sentence of
            three seconds, decoded whole.
        first_phrase: Until a line's first audio.
        synthesis: For each further second of speech.
        first_token: Until a model's first token.
        token: For each further token.
        embedding: For a call.
    """

    recognition: float = 0.20
    first_phrase: float = 0.12
    synthesis: float = 0.06
    first_token: float = 0.12
    token: float = 0.02
    embedding: float = 0.01

    def __str__(self) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')} {1000 * value:.0f} ms"
            for name, value in asdict(self).items()
        )


async def measured(channel: grpc.aio.Channel) -> Delays:
    """What a running mesh takes at rest.

    Raises:
        grpc.aio.AioRpcError: A server does not answer.
        RecordingsUnavailableError: There is nothing to recognise.
    """
    sentence = (await asyncio.to_thread(people))[1]
    asr = asr_pb2_grpc.AsrServiceStub(channel)
    tts = tts_pb2_grpc.TtsServiceStub(channel)
    llm = llm_pb2_grpc.LlmServiceStub(channel)
    embed = embed_pb2_grpc.EmbedServiceStub(channel)
    recognition, embedding = [], []
    first_phrase, synthesis, first_token, token = [], [], [], []
    for _ in range(REPEATS):
        text = TEXT.format(time.time_ns() % 1_000_000)  # never the same, so that no cache answers
        clock = _stopwatch()
        speech = tts.Synthesize(tts_pb2.SynthesizeRequest(text=text), **outgoing(CALL_SECONDS))
        pieces = [(clock(), message.chunk.duration.ToMilliseconds()) async for message in speech]
        first_phrase.append(pieces[0][0])
        rest = sum(length for _, length in pieces[1:]) / 1000
        if rest:
            synthesis.append((pieces[-1][0] - pieces[0][0]) / rest)
        clock = _stopwatch()
        answer = llm.Chat(
            llm_pb2.ChatRequest(
                messages=[llm_pb2.Message(role=llm_pb2.ROLE_USER, content=text)], max_tokens=16
            ),
            **outgoing(CALL_SECONDS),
        )
        tokens = [clock() async for message in answer if message.delta.text]
        first_token.append(tokens[0])
        token.append((tokens[-1] - tokens[0]) / max(1, len(tokens) - 1))
        clock = _stopwatch()
        await asr.Recognize(
            asr_pb2.RecognizeRequest(
                config=asr_pb2.RecognitionConfig(languages=["en"]),
                format=serving_pb2.AudioFormat(
                    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ
                ),
                audio=sentence.pcm,
            ),
            **outgoing(CALL_SECONDS),
        )
        recognition.append(clock())
        clock = _stopwatch()
        await embed.Embed(embed_pb2.EmbedRequest(inputs=[text]), **outgoing(CALL_SECONDS))
        embedding.append(clock())
    return Delays(
        recognition=percentile(recognition, 50),
        first_phrase=percentile(first_phrase, 50),
        synthesis=percentile(synthesis, 50) if synthesis else Delays().synthesis,
        first_token=percentile(first_token, 50),
        token=percentile(token, 50),
        embedding=percentile(embedding, 50),
    )


def _stopwatch() -> Callable[[], float]:
    started = time.perf_counter()
    return lambda: time.perf_counter() - started
