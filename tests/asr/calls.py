"""What the tests of the service say to it and hear from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import grpc
import pytest
from google.protobuf.message import Message
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import Float32
from services.runtime.audio import pcm
from services.runtime.stats import duration

Stub: TypeAlias = "asr_pb2_grpc.AsrServiceAsyncStub"
Request = asr_pb2.StreamingRecognizeRequest
RAW = serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=16_000)


def config(**fields: object) -> Request:
    recognition = asr_pb2.RecognitionConfig(languages=["en"])
    settings: dict[str, object] = {"recognition": recognition, "format": RAW, **fields}
    return Request(config=asr_pb2.StreamingRecognitionConfig(**settings))  # type: ignore[arg-type]


def chunk(audio: bytes, offset: float | None = None) -> Request:
    """A piece of audio, `offset` seconds from the start of the stream."""
    at = None if offset is None else duration(offset)
    return Request(audio=serving_pb2.AudioChunk(audio=audio, offset=at))


def audio(samples: Float32, piece: int = 4_000) -> list[Request]:
    return [
        chunk(pcm.s16le_from_float(samples[i : i + piece])) for i in range(0, len(samples), piece)
    ]


async def stream(
    stub: Stub, messages: Sequence[Request]
) -> list[asr_pb2.StreamingRecognizeResponse]:
    async def requests() -> AsyncIterator[Request]:
        for message in messages:
            yield message

    return [event async for event in stub.StreamingRecognize(requests(), timeout=60)]


def ends(events: Sequence[asr_pb2.StreamingRecognizeResponse]) -> list[asr_pb2.EndOfTurn]:
    return [e.end_of_turn for e in events if e.HasField("end_of_turn")]


async def refused(stub: Stub, messages: Sequence[Request]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream(stub, messages)
    return caught.value


async def refused_file(stub: Stub, request: Message) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(request, timeout=60)  # type: ignore[arg-type]
    return caught.value
