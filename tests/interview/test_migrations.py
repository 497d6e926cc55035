"""The tables' versions, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
from alembic import command

from services.interview.store.tables import tables as interviews
from services.runtime.errors import ResourceMissing
from services.runtime.postgres.database import SUPERUSER, Server
from services.runtime.postgres.failures import StoreFailed
from services.runtime.postgres.migrating import configuration, newest, upgrade, versions
from tests.interview.databases import Postgres
from tests.server_process import ROOT

EMPTY = "empty"
_BAD = """
from alembic import op
revision, down_revision = "9998", "{before}"
def upgrade():
    op.execute("CREATE TABLE half (id int)")
    op.execute("SELECT 1 / 0")
"""


@pytest_asyncio.fixture
async def empty(postgres: Postgres) -> AsyncIterator[Server]:
    """A database without a table."""
    admin = await postgres.connect()
    await admin.execute(f"CREATE DATABASE {EMPTY} TEMPLATE template0")
    yield postgres.server(EMPTY)
    await admin.execute(f"DROP DATABASE {EMPTY} WITH (FORCE)")
    await admin.close()


async def tables(server: Server) -> set[str]:
    assert server.url is not None
    connection = await asyncpg.connect(server.url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


@pytest.mark.slow
async def test_three_that_start_at_once_all_succeed(empty: Server) -> None:
    program = (
        "import asyncio; from pathlib import Path;"
        "from services.runtime.postgres.database import Server;"
        "from services.runtime.postgres.migrating import upgrade;"
        "from services.interview.store.tables import tables;"
        f"asyncio.run(upgrade(Server({empty.url!r}, Path('/')), tables()))"
    )
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT)
        for _ in range(3)
    ]
    assert [await process.wait() for process in running] == [0, 0, 0]
    found = await versions(empty, interviews())
    assert found.there == found.needed == newest(interviews())
    assert {"interview", "turn", "event", "report", "recording", "lease"} <= await tables(empty)


async def test_a_version_that_fails_leaves_all_as_it_was(empty: Server, tmp_path: Path) -> None:
    await upgrade(empty, interviews())
    own = Path(str(interviews().get_main_option("script_location")))
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for script in (own / "env.py", *(own / "versions").glob("v*.py")):
        (scripts / script.relative_to(own)).write_text(script.read_text())
    before = newest(interviews())
    (scripts / "versions" / "v9998_bad.py").write_text(_BAD.format(before=before))
    with pytest.raises(StoreFailed):
        await upgrade(empty, configuration(scripts))
    assert "half" not in await tables(empty)
    assert (await versions(empty, interviews())).there == before


async def test_a_newer_programs_tables_are_left_alone(empty: Server) -> None:
    await upgrade(empty, interviews())
    connection = await asyncpg.connect(empty.url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(ResourceMissing, match="9999"):
        await upgrade(empty, interviews())


def test_the_tables_can_be_made_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    config = interviews()
    command.upgrade(config, "head", sql=True)
    said = capsys.readouterr().out
    assert "CREATE TABLE interview" in said
    assert "pg_advisory_xact_lock" not in said


async def test_a_database_that_is_not_there_is_told() -> None:
    nowhere = Server(f"postgresql://{SUPERUSER}@/viva?host={quote('/nowhere')}", Path("/"))
    with pytest.raises(StoreFailed) as failed:
        await versions(nowhere, interviews())
    assert failed.value.reason == "STORE_LOST"
    assert "nowhere" in nowhere.shown
    secret = Server("postgresql://me:hidden@db.example:6000/viva", Path("/"))
    assert secret.shown == "PostgreSQL at db.example:6000/viva"
