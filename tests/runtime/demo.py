"""The demo server as a process, and calls of every shape to it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.runtime.demo_server import SHAPES
from tests.server_process import ROOT

EMBED = "viva.embed.v1.EmbedService"
Metadata = tuple[tuple[str, str], ...]


@asynccontextmanager
async def demo(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.runtime.demo_server",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_serving(channel: grpc.aio.Channel, service: str = EMBED) -> None:
    await health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=60, wait_for_ready=True
    )


async def until_logged(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """The first line that tells of an event."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            if line.startswith(b"{") and (fields := json.loads(line))["event"] == event:
                return dict(fields)
    raise AssertionError(f"it ended without {event!r}")


def method(channel: grpc.aio.Channel, shape: str, name: str) -> Any:
    """A method of the demo server; `shape` is one of a channel's, "unary_stream" say."""
    return getattr(channel, shape)(
        f"/{SHAPES}/{name}", StringValue.SerializeToString, StringValue.FromString
    )


async def call_every_shape(channel: grpc.aio.Channel, metadata: Metadata = ()) -> None:
    """Calls a method of each shape and checks its answers."""
    sent = StringValue(value="hello")

    async def many() -> AsyncIterator[StringValue]:
        for _ in range(2):
            yield sent

    options: dict[str, Any] = {"timeout": 20, "metadata": metadata}
    one = StringValue(value="5.0")
    assert await method(channel, "unary_unary", "OneOne")(sent, **options) == one
    assert await method(channel, "stream_unary", "ManyOne")(many(), **options) == one
    answers = method(channel, "unary_stream", "OneMany")(sent, **options)
    assert [answer async for answer in answers] == [one, one]
    answers = method(channel, "stream_stream", "ManyMany")(many(), **options)
    assert [answer async for answer in answers] == [one, one]


NAMES_OF_SHAPES = {f"{SHAPES}/{name}" for name in ("OneOne", "OneMany", "ManyOne", "ManyMany")}
