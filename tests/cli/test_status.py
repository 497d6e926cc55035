"""`viva status`: where interviews are kept, and whether they can be."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.cli.launcher import control, lock
from services.cli.launcher.database import databases, named
from services.cli.launcher.overview import Entry, Overview, Status
from tests.cli.in_process import viva
from tests.cli.running_mesh import unprepared
from tests.interview.databases import Postgres
from tests.interview.databases import postgres as running_postgres
from tests.server_process import free_ports


async def databases_of(servers: set[str]) -> list[Entry]:
    return await databases(named(servers))


@asynccontextmanager
async def metrics_page(waiting: int) -> AsyncIterator[str]:
    """An interview server's metrics, as many of whose interviews wait."""
    page = (
        "# HELP viva_interview_sessions_waiting Interviews that wait until they can be stored.\n"
        f"viva_interview_sessions 3.0\nviva_interview_sessions_waiting {waiting}.0\n"
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(page)}\r\n\r\n"
        writer.write((head + page).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("waiting", [0, 2])
async def test_interviews_that_wait_to_be_stored_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    def read(_: Path) -> Overview:
        entries = tuple(
            Entry(name, "interview", "127.0.0.1:1", page, "SERVING", Status(os.getpid()))
            for name, page in (("interview", first), ("interview-2", second))
        )
        mesh = f"127.0.0.1:{free_ports(1)[0]}"
        return Overview(os.getpid(), 0.0, mesh, None, (), tls=False, entries=entries)

    monkeypatch.setattr(control, "read", read)
    variables = unprepared(tmp_path)
    with lock.lock(tmp_path):
        async with metrics_page(waiting) as first, metrics_page(waiting) as second:
            table = await asyncio.to_thread(viva, variables, "status")
            told = await asyncio.to_thread(viva, variables, "status", "--json")
    assert ("interviews wait: 4 cannot be stored" in table.stdout) == bool(waiting)
    assert table.returncode == told.returncode == bool(waiting)
    assert json.loads(told.stdout)["interviews_waiting"] == 2 * waiting


async def test_a_database_elsewhere_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    monkeypatch.setenv(
        "VIVA_INTERVIEW_DATABASE_URL", f"postgresql://ann:hunter2@127.0.0.1:{port}/v"
    )
    [entry] = await databases_of({"interview", "gateway"})
    assert (entry.name, entry.server, entry.status) == ("postgres", "postgres", None)
    assert entry.address == f"127.0.0.1:{port}/v"
    assert entry.health == "UNREACHABLE"
    assert await databases_of({"asr"}) == []
    monkeypatch.setenv("VIVA_INTERVIEW_STORE", "memory")
    assert await databases_of({"interview"}) == []
    monkeypatch.setenv("VIVA_GATEWAY_DATABASE_URL", f"postgresql://127.0.0.1:{port}/accounts")
    monkeypatch.setenv("VIVA_INTERVIEW_STORE", "postgres")
    both = await databases_of({"interview", "gateway"})
    assert [entry.name for entry in both] == ["postgres", "postgres-2"]


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.mark.slow
async def test_a_database_elsewhere_that_answers_serves(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv("VIVA_INTERVIEW_DATABASE_URL", str(postgres.server().url))
    [entry] = await databases_of({"interview"})
    assert entry.health == "SERVING"
