"""The real interview server and simulated engines in one process, in virtual time if wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc

from services.cli.bench.simulated.delays import Delays
from services.cli.bench.simulated.engines import engines
from services.cli.bench.simulated.work import Work
from services.cli.bench.turn.in_process import InProcessChannel
from services.interview import server as interview
from services.interview.settings import InterviewServerSettings


@asynccontextmanager
async def simulated_mesh(folder: Path, work: Work) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to all of it."""
    channel = InProcessChannel()
    settings = InterviewServerSettings(data_dir=folder)
    async with AsyncExitStack() as stack:
        for build in (
            engines(Delays(), work)(),
            interview.build(settings, connect=lambda _: channel.opened()),
        ):
            channel.offer(await stack.enter_async_context(build))
        yield channel.typed()
