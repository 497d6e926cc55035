"""Connections to PostgreSQL: a pool that comes back by itself, and a deadline on everything."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from services.runtime.errors import InvalidField, ResourceMissing
from services.runtime.logs import log
from services.runtime.postgres.failures import STORE_FAILURES, StoreFailed
from services.runtime.postgres.row_security import (
    APPLICATION_ROLE,
    BYPASSES,
    EVERYBODY_SETTING,
    USER_SETTING,
)

_logger = logging.getLogger(__name__)

DATABASE = "viva"
SUPERUSER = "postgres"
SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 107
"""sockaddr_un has room for so many bytes of a path."""
_CONNECTIONS = 8
_URGENT_CONNECTIONS = 1
"""Besides, for what must not wait until others are done with theirs."""
_OWNER = (
    f"SELECT set_config('{USER_SETTING}', $1, true), set_config('{EVERYBODY_SETTING}', $2, true)"
)
_SQLSTATES = {
    "08": ("STORE_LOST", "its connection was lost"),
    "25006": ("STORE_READ_ONLY", "it is read-only"),
    "28": ("STORE_LOST", "it refuses the user or password"),
    "3D000": ("STORE_LOST", "there is no such database"),
    "40": ("STORE_CONFLICT", "it met a concurrent change"),
    "53": ("STORE_FULL", "its disk, memory or connections are used up"),
    "55P03": ("STORE_TIMEOUT", "it waited too long for a lock"),
    "57014": ("STORE_TIMEOUT", "it took too long"),
    "57": ("STORE_LOST", "it is stopping or starting"),
    "58": ("STORE_FULL", "its disk failed or is full"),
}


class Everybody(Enum):
    """A type of its own, so that no user's id is ever taken for it."""

    EVERYBODY = "everybody"


EVERYBODY: Final = Everybody.EVERYBODY
"""The owner of a transaction that concerns all users' rows."""

Owner = str | Literal[Everybody.EVERYBODY]
"""Whose rows a transaction sees: a user's id, or everybody's."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database is.

    Attributes:
        url: postgresql://…; None for the one that `folder` holds.
        folder: The embedded server's folder, where its socket is.
    """

    url: str | None
    folder: Path

    @property
    def shown(self) -> str:
        """Its place, without a secret."""
        if self.url is None:
            return f"the embedded PostgreSQL in {self.folder}"
        try:
            parts = urlsplit(self.url)
            port = parts.port or 5432
        except ValueError:
            return "PostgreSQL"
        if parts.netloc.count("@") > 1 or "@" in f"{parts.path}{parts.fragment}":
            return "PostgreSQL"  # What looks like the host or the database is of the password.
        host = parts.hostname or unquote(parse_qs(parts.query).get("host", ["localhost"])[0])
        return f"PostgreSQL at {host}:{port}{parts.path}"

    @asynccontextmanager
    async def address(self) -> AsyncIterator[Mapping[str, Any]]:
        """What `asyncpg.connect` needs, good for as long as the scope lasts."""
        if self.url is not None:
            yield {"dsn": self.url}
            return
        own = {"user": SUPERUSER, "database": DATABASE}
        if len(os.fsencode(self.folder / SOCKET)) <= _LONGEST_SOCKET:
            yield {**own, "host": str(self.folder)}
            return
        folder = os.open(self.folder, os.O_PATH)
        try:
            yield {**own, "host": f"/proc/self/fd/{folder}"}
        finally:
            os.close(folder)


# The driver's own: of a connection that was lost, or whose state it lost.
_DRIVERS = asyncpg.InterfaceError | asyncpg.InternalClientError
FAULTS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What may go wrong with a database."""


def failed(error: BaseException) -> StoreFailed:
    """What a fault of the database is called. Its own words may quote a row: they are not told."""
    state = getattr(error, "sqlstate", None) or ""
    for prefix in (state, state[:2]):
        if prefix in _SQLSTATES:
            return StoreFailed(*_SQLSTATES[prefix])
    if isinstance(error, TimeoutError):
        return StoreFailed("STORE_TIMEOUT", "it did not answer in time")
    if isinstance(error, socket.gaierror):
        return StoreFailed("STORE_LOST", "its host's name has no address")
    if isinstance(error, OSError | _DRIVERS):
        return StoreFailed("STORE_LOST", "it cannot be reached")
    return StoreFailed("STORE_ERROR", f"{type(error).__name__} {state}".strip())


def _breaks_off(error: BaseException) -> bool:
    """Whether nobody knows what a connection does after it: cancelled, late, lost."""
    return not isinstance(error, Exception) or isinstance(error, _DRIVERS | OSError | TimeoutError)


class Database:
    """A pool of connections. Whatever goes wrong is `StoreFailed`."""

    def __init__(
        self,
        server: Server,
        pool: asyncpg.Pool,
        seconds: float,
        urgent: asyncpg.Pool | None = None,
    ) -> None:
        """Takes connections of their own for what is urgent; None has it wait with the rest."""
        self.server = server
        self._pool = pool
        self._urgent = urgent or pool
        self._seconds = seconds

    @asynccontextmanager
    async def connection(
        self, operation: str, seconds: float | None = None, *, urgent: bool = False
    ) -> AsyncIterator[asyncpg.Connection]:
        """A connection; all that is done with it must be done within so many seconds.

        Args:
            operation: What is done, in metrics and in the log.
            seconds: The most it may take; None is the usual.
            urgent: Whether it waits for nobody else.

        Raises:
            InvalidField: A value is none that the database can write (SQLSTATE class 22).
            StoreFailed: Something went wrong with the database.
        """
        within = seconds or self._seconds
        pool = self._urgent if urgent else self._pool
        try:
            async with asyncio.timeout(within):
                # Class 22 is of the connection's own settings here: a role that is not there.
                connection = await pool.acquire(timeout=within)
                try:
                    yield connection
                except BaseException as error:
                    # In the midst of something, or of nobody knows what: it is not used again. To
                    # wait for its end could take as long as the server hangs. A fault of the
                    # caller's that was rolled back leaves it as good as new.
                    if _breaks_off(error) or connection.is_in_transaction():
                        connection.terminate()
                    if isinstance(error, asyncpg.DataError):
                        # The value's fault, not the store's: it would fail again, and nothing is
                        # broken.
                        what = "has a value that cannot be stored"
                        raise InvalidField("request", what) from error
                    raise
                finally:
                    await pool.release(connection, timeout=within)
        except FAULTS as error:
            told = failed(error)
            STORE_FAILURES.labels(operation, told.reason).inc()
            log(
                _logger,
                logging.WARNING,
                "store failed",
                operation=operation,
                reason=told.reason,
                cause=error,
            )
            raise told from error

    @asynccontextmanager
    async def transaction(
        self, operation: str, owner: Owner, *, snapshot: bool = False, urgent: bool = False
    ) -> AsyncIterator[asyncpg.Connection]:
        """A connection in a transaction, which is committed at the end of the scope.

        Args:
            operation: What is done, in metrics and in the log.
            owner: Whose rows it sees.
            snapshot: Whether it only reads, and sees all as it was at one moment.
            urgent: Whether it waits for no other transaction's connection.

        Raises:
            StoreFailed: Something went wrong with the database; if that was the commit, nobody
                knows whether it happened.
        """
        how = {"isolation": "repeatable_read", "readonly": True} if snapshot else {}
        async with (
            self.connection(operation, urgent=urgent) as connection,
            connection.transaction(**how),
        ):
            everybody = owner is EVERYBODY
            await connection.execute(_OWNER, "" if everybody else owner, "on" if everybody else "")
            yield connection


@asynccontextmanager
async def open_database(
    server: Server, seconds: float, *, name: str = "viva"
) -> AsyncIterator[Database]:
    """A pool; connections are made when they are needed, and made again when they are lost.

    Args:
        server: Where; its tables are there.
        seconds: What any one thing may take.
        name: What the connections call themselves.

    Raises:
        StoreFailed: The database cannot be asked who this is.
    """
    milliseconds = str(round(seconds * 1000))
    async with server.address() as address:
        role = {"role": APPLICATION_ROLE} if await _bypasses(address, seconds) else {}
        pool, urgent = (
            asyncpg.create_pool(
                **address,
                min_size=0,
                max_size=most,
                timeout=seconds,
                command_timeout=seconds,
                max_inactive_connection_lifetime=60.0,
                server_settings={
                    **role,
                    "application_name": name,
                    "statement_timeout": milliseconds,
                    "lock_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": milliseconds,
                    "timezone": "UTC",
                },
            )
            for most in (_CONNECTIONS, _URGENT_CONNECTIONS)
        )
        await pool
        await urgent
        try:
            yield Database(server, pool, seconds, urgent)
        finally:
            pool.terminate()
            urgent.terminate()


async def _bypasses(address: Mapping[str, Any], seconds: float) -> bool:
    """Whether no policy would ever be asked about what this user does."""
    try:
        async with asyncio.timeout(seconds):
            connection = await asyncpg.connect(**address, timeout=seconds)
            try:
                return bool(await connection.fetchval(BYPASSES))
            finally:
                connection.terminate()
    except FAULTS as error:
        raise failed(error) from error


async def health(server: Server, seconds: float) -> str:
    """A database's health in a word: SERVING, NOT_SERVING or UNREACHABLE."""
    try:
        async with server.address() as address, asyncio.timeout(seconds):
            connection = await asyncpg.connect(**address, timeout=seconds)
            try:
                await connection.execute("SELECT 1")
            finally:
                connection.terminate()
    except asyncpg.PostgresError:  # It starts or stops, or has no connection left.
        return "NOT_SERVING"
    except FAULTS:
        return "UNREACHABLE"
    return "SERVING"


def _is_lasting(error: BaseException) -> bool:
    """Whether waiting does not help: a wrong user, password, database or address."""
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith("28") or state == "3D000" or isinstance(error, ValueError)


async def answers(server: Server, seconds: float, variable: str) -> None:
    """Returns if the database lets in who is to use it.

    Raises:
        ResourceMissing: The database that is named refuses the user, or is not on its server.
        StoreFailed: It may come up yet.
    """
    try:
        async with server.address() as address, asyncio.timeout(seconds):
            connection = await asyncpg.connect(**address, timeout=seconds)
    except FAULTS as error:
        fault = failed(error)
        if server.url is not None and _is_lasting(error):
            raise ResourceMissing(
                f"{server.shown}: {fault.message}",
                f"see the user, the password and the database in {variable}",
            ) from None
        raise fault from error
    with suppress(*FAULTS):
        await connection.close(timeout=seconds)


async def until_there(server: Server, seconds: float, variable: str) -> None:
    """Waits for the database, however long, and says so.

    Args:
        server: Where.
        seconds: What one attempt may take.
        variable: The environment variable that says where.

    Raises:
        ResourceMissing: The database that is named refuses the user, or is not on its server.
    """
    told = ""
    while True:
        try:
            await answers(server, seconds, variable)
        except StoreFailed as fault:
            # A place that does not exist yet is as good as nobody there.
            if told != fault.message:
                told = fault.message
                log(
                    _logger,
                    logging.WARNING,
                    f"waiting for {server.shown}",
                    reason=fault.reason,
                    message=fault.message,
                )
            await asyncio.sleep(0.2)
        else:
            if told:
                log(_logger, logging.INFO, f"found {server.shown}")
            return
