"""The tables' versions: `viva migrate` and every start bring a database to the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.runtime.errors import ResourceMissing
from services.runtime.postgres.database import FAULTS, Server, failed
from services.runtime.postgres.environment import SCHEMA_OPTION

MIGRATION_SECONDS = 300.0
"""Also for those who wait until another process has migrated."""
LOOK_SECONDS = 5.0
"""For who only looks: somebody waits for the answer."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of the tables a database has, and which this program needs; None: no tables."""

    there: str | None
    needed: str | None


def configuration(scripts: Path, schema: str | None = None) -> Config:
    """Alembic's configuration, without a file.

    Args:
        scripts: The folder of the revisions.
        schema: Where the tables and their version are; None for the database's first schema.
    """
    made = Config()
    made.set_main_option("script_location", str(scripts).replace("%", "%%"))
    if schema is not None:
        made.set_main_option(SCHEMA_OPTION, schema)
    return made


def newest(config: Config) -> str | None:
    """The newest version there is."""
    return ScriptDirectory.from_config(config).get_current_head()


async def upgrade(server: Server, config: Config) -> Versions:
    """Brings the tables to the newest version. Processes that do it together wait for each other.

    A version that fails leaves the database as it was, whole.

    Returns:
        What was there before, and what is there now.

    Raises:
        StoreFailed: The database could not do it.
        ResourceMissing: The tables are of a newer program.
    """

    def work(connection: Connection) -> Versions:
        before = _check(connection, config)
        if before.there != before.needed:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return before

    return await _with(server, work)


async def versions(server: Server, config: Config, seconds: float = LOOK_SECONDS) -> Versions:
    """Looks, and changes nothing; gives up on a database that does not answer in so many seconds.

    Raises:
        StoreFailed: The database cannot be asked.
        ResourceMissing: The tables are of a newer program.
    """
    return await _with(server, lambda connection: _check(connection, config), seconds)


def _check(connection: Connection, config: Config) -> Versions:
    schema = config.get_main_option(SCHEMA_OPTION)
    options = {"version_table_schema": schema} if schema else {}
    there = MigrationContext.configure(connection, opts=options).get_current_revision()
    known: Sequence[str] = [
        each.revision for each in ScriptDirectory.from_config(config).walk_revisions()
    ]
    connection.rollback()
    if there is not None and there not in known:
        raise ResourceMissing(
            f"the tables have version {there}, which this program does not know",
            "run the newer program, or restore a backup from before",
        )
    return Versions(there, newest(config))


async def _with(
    server: Server, work: Callable[[Connection], Versions], seconds: float = MIGRATION_SECONDS
) -> Versions:
    async with server.address() as address:

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(**address, timeout=seconds)

        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool
        )
        try:
            async with asyncio.timeout(seconds), engine.connect() as connection:
                done = await connection.run_sync(work)
                await connection.commit()
                return done
        except SQLAlchemyError as error:
            raise failed(_cause(error)) from error
        except FAULTS as error:
            raise failed(error) from error
        finally:
            await engine.dispose()


def _cause(error: BaseException) -> BaseException:
    """The driver's error behind SQLAlchemy's."""
    while (cause := error.__cause__) is not None:
        error = cause
    return error
