"""The embedded PostgreSQL: set up whole or not at all, in folders that stay closed."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.runtime.errors import ResourceMissing
from services.runtime.postgres import embedded, remnants
from services.runtime.postgres.database import SOCKET, Server, failed, health, until_there
from tests.interview.databases import GUARD_SECONDS, Postgres, start
from tests.interview.databases import postgres as running_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.mark.slow
async def test_it_serves_in_a_private_folder_whose_path_is_too_long_for_a_socket(
    tmp_path: Path,
) -> None:
    private = tmp_path / ("long" * 30)
    private.mkdir(mode=0o700)
    folder = private / "postgres"
    half_made = private / "postgres.making"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    server = Server(None, folder)
    assert len(os.fsencode(folder / SOCKET)) > 107
    assert await health(server, GUARD_SECONDS) == "UNREACHABLE"
    process = start(folder)
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            await until_there(server, GUARD_SECONDS, "VIVA_DATABASE_URL")
        assert await health(server, GUARD_SECONDS) == "SERVING"
        assert not half_made.exists()
        for closed in (private, folder):
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, GUARD_SECONDS) == 0
    assert await health(server, GUARD_SECONDS) == "UNREACHABLE"


async def test_one_that_hangs_is_found_out(postgres: Postgres) -> None:
    server = Server(None, postgres.folder)
    os.kill(postgres.process.pid, signal.SIGSTOP)
    try:
        assert await health(server, 0.2) == "UNREACHABLE"
    finally:
        os.kill(postgres.process.pid, signal.SIGCONT)
    assert await health(server, GUARD_SECONDS) == "SERVING"


async def test_a_driver_that_loses_its_connections_state_is_a_fault_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(**_: object) -> None:
        # Seen where a server was stopped while a connection was made.
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2)")

    monkeypatch.setattr(asyncpg, "connect", connect)
    assert await health(Server(None, tmp_path), GUARD_SECONDS) == "UNREACHABLE"
    assert failed(asyncpg.InternalClientError("any")).reason == "STORE_LOST"


def test_a_missing_program_is_told_with_what_to_install() -> None:
    with pytest.raises(ResourceMissing) as missing:
        embedded.program("no-such-program")
    assert "viva-mesh[postgres]" in missing.value.remedy


@contextmanager
def served(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that was started in the folder, whatever is left there, until the scope ends."""
    process = start(folder)
    try:
        asyncio.run(answering(folder))
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(GUARD_SECONDS)


async def answering(folder: Path) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        await until_there(Server(None, folder), GUARD_SECONDS, "VIVA_INTERVIEW_DATABASE_URL")


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    server = psutil.Process(process.pid)
    return [server, *server.children(recursive=True)]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [True, False], ids=["postmaster killed", "all stopped"])
def test_one_whose_processes_hang_is_started_again(tmp_path: Path, killed: bool) -> None:
    folder = tmp_path / "data"
    first = start(folder)
    asyncio.run(answering(folder))
    before = family(first)
    for process in before:
        process.suspend()
    try:
        if killed:
            first.kill()
            first.wait(GUARD_SECONDS)
        with served(folder):
            first.wait(GUARD_SECONDS)
            assert not any(
                one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in before
            )
    finally:
        for one in before:
            if one.is_running():
                one.kill()


@pytest.mark.slow
def test_a_lock_that_names_a_process_of_another_kind_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with served(folder):
        locks = {name: (folder / name).read_text() for name in ("postmaster.pid", f"{SOCKET}.lock")}
    owner = folder.stat().st_uid
    stranger = subprocess.Popen(["sleep", "600"], user=owner)
    try:
        for name, content in locks.items():
            _, rest = content.split("\n", 1)
            (folder / name).write_text(f"{stranger.pid}\n{rest}")
            os.chown(folder / name, owner, -1)
        with served(folder):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(GUARD_SECONDS)


@pytest.mark.slow
def test_one_that_runs_is_left_alone(postgres: Postgres) -> None:
    remnants.clear(postgres.folder, 0.1)
    assert postgres.process.poll() is None
    asyncio.run(answering(postgres.folder))
