"""Real servers that are killed or replaced: the mesh heals, and callers lose nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import httpx

from tests.cli.real_callers import calling
from tests.real_mesh import RealMesh

REPLACED = ("embed", "tts", "asr")


def test_the_edge_answers(mesh: RealMesh) -> None:
    assert httpx.get(f"{mesh.edge}/healthz").status_code == 200
    found = httpx.get(f"{mesh.edge}/v1/questions", params={"page_size": 3})
    assert len(found.json()["results"]) == 3


def test_a_server_that_dies_comes_back(mesh: RealMesh) -> None:
    before = mesh.process("embed")
    os.kill(before.pid, signal.SIGKILL)
    mesh.wait_until_replaced("embed", before)
    assert json.loads(mesh.viva("embed", "the mesh has healed", "--json").stdout)["embeddings"]


def test_servers_that_are_replaced_under_load_lose_no_call(mesh: RealMesh) -> None:
    before = {name: mesh.process(name) for name in REPLACED}

    async def replaced() -> None:
        async with calling(mesh.address, REPLACED) as tally:
            done = await asyncio.to_thread(mesh.run, "restart", *REPLACED)
        assert done.returncode == 0, done.stderr
        assert tally.lost == []
        assert set(tally.answered) == set(REPLACED)

    asyncio.run(replaced())
    assert all(mesh.process(name) != before[name] for name in REPLACED)
