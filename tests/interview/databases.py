"""A real PostgreSQL for tests: the embedded one, started as the launcher starts it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from services.interview.store.tables import tables
from services.runtime.postgres.database import DATABASE, SUPERUSER, Server, until_there
from services.runtime.postgres.failures import StoreFailed
from services.runtime.postgres.migrating import upgrade
from tests.server_process import ROOT

GUARD_SECONDS = 60.0


@dataclass
class Postgres:
    """A running server, and where."""

    folder: Path
    process: subprocess.Popen[bytes]

    def server(self, database: str = DATABASE) -> Server:
        url = f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.folder))}"
        return Server(url, self.folder)

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        return await asyncpg.connect(self.server(database).url, timeout=GUARD_SECONDS)

    async def emptied(self) -> Server:
        """The server's database, without a row of anybody's."""
        admin = await self.connect(DATABASE)
        try:
            await admin.execute("TRUNCATE interview, deletion, owner, sweep CASCADE")
        finally:
            await admin.close()
        return self.server()


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Starts the embedded server as the launcher does."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.runtime.postgres.embedded", str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with the tables in its database, for as long as the scope lasts."""
    # A socket's path has little room.
    scratch = Path(tempfile.mkdtemp(prefix="pg-"))
    running = Postgres(scratch / "data", start(scratch / "data"))
    try:
        asyncio.run(_prepare(running))
        yield running
    finally:
        running.process.send_signal(signal.SIGCONT)
        running.process.send_signal(signal.SIGINT)
        running.process.wait(GUARD_SECONDS)
        shutil.rmtree(scratch)


async def _prepare(running: Postgres) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        await until_there(running.server(), GUARD_SECONDS, "VIVA_DATABASE_URL")
        while True:
            try:
                await upgrade(running.server(), tables())
                break
            except StoreFailed:
                await asyncio.sleep(0.05)
    admin = await running.connect()
    # Nothing here has to outlive the machine.
    await admin.execute("ALTER SYSTEM SET fsync = off")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
