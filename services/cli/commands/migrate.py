"""`viva migrate`: the tables, brought to the versions this program needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.calls import err, run, tell
from services.cli.record import cannot_use
from services.interview.settings import InterviewServerSettings
from services.runtime.settings import load

if TYPE_CHECKING:
    from alembic.config import Config

    from services.runtime.postgres.database import Server


def _records() -> Iterator[tuple[str, Server, Config]]:
    """What is kept, where, and its tables."""
    # What speaks to a database is installed with the servers that keep something.
    from edge.gateway.settings import GatewaySettings
    from edge.gateway.store.tables import tables as accounts
    from services.interview.store.opening import server_of
    from services.interview.store.tables import tables as interviews

    settings = load(InterviewServerSettings)
    if settings.store == "memory":
        tell("interviews: VIVA_INTERVIEW_STORE is memory: there are no tables")
    else:
        yield "interviews", server_of(settings), interviews()
    yield "accounts", load(GatewaySettings).server, accounts()


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only look; exit status 1 where something is to do.")
    ] = False,
) -> None:
    """Bring the tables of interviews and accounts to the versions this program needs.

    The servers do it by themselves at their start; this is for whoever wants it done before.
    The databases are those of VIVA_INTERVIEW_DATABASE_URL and VIVA_GATEWAY_DATABASE_URL, or the one
    of a running `viva up`. A version that fails leaves everything as it was.
    """
    due = [_bring(what, server, tables, check=check) for what, server, tables in _records()]
    if any(due):
        raise typer.Exit(1)


def _bring(what: str, server: Server, tables: Config, *, check: bool) -> bool:
    """Brings tables to their newest version, or looks; whether something is still to do."""
    from services.runtime.errors import ResourceMissing
    from services.runtime.postgres import migrating
    from services.runtime.postgres.failures import StoreFailed

    doing = migrating.versions if check else migrating.upgrade
    try:
        found = run(doing(server, tables))
    except StoreFailed as error:
        cannot_use(server, error)
    except ResourceMissing as error:
        tell(str(error))
        raise typer.Exit(1) from None
    there = found.there or "none"
    if found.there == found.needed:
        done = f"version {there}, nothing to do"
    elif check:
        done = f"version {there}, needs {found.needed}"
    else:
        done = f"from version {there} to {found.needed}"
    err.print(f"{server.shown}, {what}: {done}", soft_wrap=True)
    return check and found.there != found.needed
