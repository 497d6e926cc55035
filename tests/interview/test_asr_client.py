"""Trying a recogniser out: what counts as working, as busy and as failing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.interview.clients.asr import AsrClient
from services.interview.clients.seams import DependencyFailed
from services.runtime.channel import open_channel
from services.runtime.errors import DeadlineTooShort, Draining, Overloaded, Unavailable
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings

SPEECH = b"\1\0" * 16_000


class Recognition(asr_pb2_grpc.AsrServiceServicer):
    """Answers, raises, or never answers."""

    def __init__(self, outcome: Exception | None, *, hangs: bool = False) -> None:
        self.outcome = outcome
        self.hangs = hangs
        self.asked: list[asr_pb2.RecognizeRequest] = []

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: Any
    ) -> asr_pb2.RecognizeResponse:
        self.asked.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if self.outcome is not None:
            raise self.outcome
        return asr_pb2.RecognizeResponse()


@asynccontextmanager
async def client(recognition: Recognition) -> AsyncIterator[AsrClient]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        add = partial(asr_pb2_grpc.add_AsrServiceServicer_to_server, recognition)
        yield [Service("viva.asr.v1.AsrService", add)]

    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=0)
    async with (
        serving(settings, "asr", build) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield AsrClient(channel)


async def test_it_recognises_what_it_is_given_before_what_nobody_waits_for() -> None:
    recognition = Recognition(None)
    async with client(recognition) as recogniser:
        assert await recogniser.check(SPEECH, "en", 5.0)
    (asked,) = recognition.asked
    assert asked.audio == SPEECH
    assert asked.config.languages == ["en"]
    assert asked.config.priority == serving_pb2.PRIORITY_INTERACTIVE
    assert (asked.format.sample_rate_hz, asked.format.channels) == (16_000, 1)


@pytest.mark.parametrize(
    "refusal",
    [Overloaded("too much", retry_after=1.0), DeadlineTooShort(4.0, 1.3), Draining()],
    ids=lambda refusal: type(refusal).__name__,
)
async def test_who_knows_that_there_is_no_time_for_it_is_busy(refusal: Exception) -> None:
    async with client(Recognition(refusal)) as recogniser:
        assert not await recogniser.check(SPEECH, "en", 5.0)


@pytest.mark.parametrize(
    ("recognition", "reason"),
    [
        (Recognition(Unavailable("not now")), "UNAVAILABLE"),
        (Recognition(RuntimeError("broken")), "INTERNAL"),
        (Recognition(None, hangs=True), "DEADLINE_EXCEEDED"),
    ],
    ids=["unavailable", "broken", "hangs"],
)
async def test_who_cannot_has_failed(recognition: Recognition, reason: str) -> None:
    async with client(recognition) as recogniser:
        with pytest.raises(DependencyFailed) as failure:
            await recogniser.check(SPEECH, "en", 0.2 if recognition.hangs else 10.0)
        assert (failure.value.service, failure.value.reason) == ("asr", reason)
