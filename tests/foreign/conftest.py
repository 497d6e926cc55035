"""Clients of others in node, installed from the lock file into an ignored folder."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.envoy.contracts import descriptor_set
from hatch_build import install_node_packages
from tests.foreign.edge import Edge, running

HERE = Path(__file__).parent
GUARD_SECONDS = 30.0

Client = Callable[..., Awaitable[Mapping[str, Any]]]
"""Runs a client; gives each scenario's outcome."""


@pytest.fixture(scope="session")
def packages() -> None:
    install_node_packages(HERE)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with running(tmp_path) as found:
        yield found


@pytest.fixture
def client(packages: None, edge: Edge, tmp_path: Path) -> Client:
    descriptors = tmp_path / "contracts.binpb"
    descriptors.write_bytes(descriptor_set().SerializeToString())

    async def run(script: str, **variables: str) -> Mapping[str, Any]:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("node"),
            HERE / script,
            env={
                **os.environ,
                "EDGE": edge.address,
                "TOKEN": edge.token,
                "DESCRIPTORS": str(descriptors),
                **variables,
            },
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(GUARD_SECONDS):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        outcomes: Mapping[str, Any] = json.loads(said)
        assert not [name for name, found in outcomes.items() if "threw" in str(found)], outcomes
        return outcomes

    return run
