"""A bridge in front of a server that echoes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.gateway.bridge.server import serving
from edge.gateway.bridge.settings import BridgeSettings
from tests.edge.gateway.bridge import echo

GUARD_SECONDS = 30.0
"""What hangs this long is broken; nothing is measured by it."""

Bridge = Callable[..., AbstractAsyncContextManager[int]]


@pytest.fixture
async def server() -> AsyncIterator[echo.Echo]:
    async with echo.serving() as running:
        yield running


@pytest.fixture
def bridge(server: echo.Echo, tmp_path: Path) -> Bridge:
    """Runs a bridge with the given settings; yields its port."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[int]:
        usual: dict[str, Any] = {
            "port": 0,
            "upstream": server.address,
            "check_method": f"/{echo.SERVICE}/CheckToken",
            "drain_seconds": 0,
            "page": tmp_path / "page",
        }
        async with (
            asyncio.timeout(GUARD_SECONDS),
            serving(BridgeSettings(**{**usual, **settings})) as port,
        ):
            yield port

    return run
