"""The embedded PostgreSQL: set up whole or not at all, in folders that stay closed."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.errors import ResourceMissing
from services.runtime.postgres import embedded
from services.runtime.postgres.database import SOCKET, Server, health, until_there
from tests.interview.databases import GUARD_SECONDS, Postgres, start
from tests.interview.databases import postgres as running_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


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


def test_a_missing_program_is_told_with_what_to_install() -> None:
    with pytest.raises(ResourceMissing) as missing:
        embedded.program("no-such-program")
    assert "viva-mesh[postgres]" in missing.value.remedy
