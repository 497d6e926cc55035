"""What the tests of the service say to it and hear from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.audio.pcm import Float32, float_from_s16le

if TYPE_CHECKING:
    # The asynchronous stub is a type only.
    Stub: TypeAlias = tts_pb2_grpc.TtsServiceAsyncStub
else:
    Stub = tts_pb2_grpc.TtsServiceStub

# A call whose `read` gives the next message, or EOF, which is false.
Call: TypeAlias = Any
Request = tts_pb2.StreamingSynthesizeRequest


def config(**fields: object) -> Request:
    return Request(config=tts_pb2.SpeechConfig(**fields))  # type: ignore[arg-type]


def text(segment: str, piece: str, *, last: bool = False, **delivery: object) -> Request:
    own = tts_pb2.SegmentDelivery(**delivery) if delivery else None  # type: ignore[arg-type]
    return Request(
        text=tts_pb2.SegmentText(segment_id=segment, text=piece, last=last, delivery=own)
    )


def flush(segment: str) -> Request:
    return Request(flush=tts_pb2.FlushSegment(segment_id=segment))


def cancel(segment: str) -> Request:
    return Request(cancel=tts_pb2.CancelSegment(segment_id=segment))


@dataclass
class Heard:
    """One segment as a client hears it."""

    chunks: list[tts_pb2.SpeechChunk] = field(default_factory=list)
    done: tts_pb2.SegmentDone | None = None

    @property
    def audio(self) -> bytes:
        return b"".join(chunk.audio for chunk in self.chunks)

    @property
    def samples(self) -> Float32:
        return float_from_s16le(self.audio)

    @property
    def words(self) -> list[tts_pb2.WordMark]:
        return [word for chunk in self.chunks for word in chunk.words]

    @property
    def seconds(self) -> float:
        assert self.done is not None
        return self.done.duration.ToMicroseconds() / 1e6


def converse(stub: Stub) -> Call:
    """Opens a stream to write to and read from."""
    streaming: Any = stub.StreamingSynthesize
    return streaming()


async def hear(call: Call) -> dict[str, Heard]:
    """Reads a call to its end; by segment."""
    segments: dict[str, Heard] = {}
    while message := await call.read():
        match message.WhichOneof("message"):
            case "chunk":
                heard = segments.setdefault(message.chunk.segment_id, Heard())
                assert heard.done is None, "a chunk after the end"
                heard.chunks.append(message.chunk)
            case "done":
                heard = segments.setdefault(message.done.segment_id, Heard())
                assert heard.done is None, "two ends"
                heard.done = message.done
    return segments


async def one(call: Call) -> Heard:
    """Reads a Synthesize call to its end."""
    return (await hear(call))[""]


def level(samples: Float32) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
