"""The databases that are named: whether they let the servers in, before the start and later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

from pydantic import SecretStr

from edge.gateway.settings import GatewaySettings
from services.cli.launcher.overview import Entry
from services.cli.launcher.process import StartFailed
from services.interview.settings import InterviewServerSettings
from services.runtime.errors import ResourceMissing
from services.runtime.settings import load

_VARIABLE = "VIVA_INTERVIEW_DATABASE_URL"
_POLL_SECONDS = 0.2
_ATTEMPT_SECONDS = 5.0
_LOOK_SECONDS = 2.0
_NAME = "postgres"


async def until_let_in(seconds: float, tell: Callable[[str], None]) -> None:
    """Waits until the named database can be used; returns at once when none is named.

    Args:
        seconds: How long one that may come up yet is waited for.
        tell: Called with what is wrong, each time that is something else.

    Raises:
        SystemExit: A setting of the interview server's makes no sense; it is named on standard
            error.
        StartFailed: It refuses its user, does not exist, or did not come up in time.
    """
    settings = load(InterviewServerSettings)
    if settings.store == "memory" or settings.database_url is None:
        return
    # What speaks to a database is installed where the interview server runs.
    from services.runtime.postgres.database import Server, answers
    from services.runtime.postgres.failures import StoreFailed

    server = Server(settings.database_url.get_secret_value(), settings.data_dir)
    fault = "it did not answer in time"
    try:
        async with asyncio.timeout(seconds):
            told = ""
            while True:
                try:
                    await answers(server, min(seconds, _ATTEMPT_SECONDS), _VARIABLE)
                except StoreFailed as error:
                    fault = error.message
                else:
                    return
                if fault != told:
                    told = fault
                    tell(f"{server.shown}: {fault}; it is waited for {seconds:g} s")
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        remedy = f"start it, or see {_VARIABLE}"
        raise StartFailed(f"{server.shown}: {fault}; {remedy}") from None
    except ResourceMissing as error:
        raise StartFailed(str(error)) from None


def named(servers: Collection[str]) -> tuple[SecretStr, ...]:
    """The URLs of the databases elsewhere in which servers keep what they keep, each once.

    Raises:
        SystemExit: A setting of the servers' makes no sense; it is named on standard error.
    """
    interviews = load(InterviewServerSettings) if "interview" in servers else None
    accounts = load(GatewaySettings) if "gateway" in servers else None
    urls = (
        interviews.database_url if interviews and interviews.store != "memory" else None,
        accounts.database_url if accounts else None,
    )
    return tuple(dict.fromkeys(url for url in urls if url is not None))


async def databases(urls: Collection[SecretStr]) -> list[Entry]:
    """The databases elsewhere, as they are."""
    if not urls:
        return []
    from services.runtime.postgres.database import Server, health

    found = [Server(url.get_secret_value(), Path()) for url in urls]
    words = await asyncio.gather(*(health(server, _LOOK_SECONDS) for server in found))
    return [
        Entry(
            name=f"{_NAME}-{number}" if number > 1 else _NAME,
            server=_NAME,
            address=server.shown.removeprefix("PostgreSQL at "),
            metrics=None,
            health=word,
            status=None,
        )
        for number, (server, word) in enumerate(zip(found, words, strict=True), 1)
    ]
