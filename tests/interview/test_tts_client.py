"""Synthesis through servers that are stopping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.interview.clients.seams import DependencyFailed, SpeechPiece, VoiceConfig
from services.interview.clients.tts import TtsClient
from services.interview.events import AudioFormat, Encoding
from services.runtime.channel import open_channel
from services.runtime.errors import Draining, Unavailable
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings

CONFIG = VoiceConfig("en", None, AudioFormat(Encoding.PCM_S16LE, 16_000))
Course = Sequence[bytes | Exception]


class Synthesis(tts_pb2_grpc.TtsServiceServicer):
    """Each call runs the next course: pieces of audio, and how it ends."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self.courses = list(courses)

    async def StreamingSynthesize(
        self, requests: AsyncIterator[tts_pb2.StreamingSynthesizeRequest], context: Any
    ) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        async for _ in requests:
            pass
        for item in self.courses.pop(0):
            if isinstance(item, Exception):
                raise item
            chunk = tts_pb2.SpeechChunk(segment_id="line", audio=item)
            yield tts_pb2.StreamingSynthesizeResponse(chunk=chunk)


@asynccontextmanager
async def client(*courses: Course) -> AsyncIterator[TtsClient]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, Synthesis(courses))
        yield [Service("viva.tts.v1.TtsService", add)]

    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=0)
    async with (
        serving(settings, "tts", build) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield TtsClient(channel)


async def spoken(speaker: TtsClient) -> list[SpeechPiece]:
    return [piece async for piece in speaker.speak("Hello.", CONFIG)]


async def test_a_line_that_a_stopping_server_did_not_begin_is_made_by_the_next() -> None:
    async with client([Draining()], [b"\1\0", b"\2\0"]) as speaker:
        assert [piece.audio for piece in await spoken(speaker)] == [b"\1\0", b"\2\0"]


@pytest.mark.parametrize(
    ("courses", "reason"),
    [
        ([[Draining()], [Draining()]], "DRAINING"),
        ([[b"\1\0", Draining()], [b"\1\0"]], "DRAINING"),
        ([[Unavailable("not now")], [b"\1\0"]], "UNAVAILABLE"),
    ],
    ids=["twice", "after it began", "another reason"],
)
async def test_it_is_made_again_once_and_not_from_the_middle(
    courses: list[Course], reason: str
) -> None:
    async with client(*courses) as speaker:
        with pytest.raises(DependencyFailed) as failure:
            await spoken(speaker)
        assert failure.value.reason == reason
