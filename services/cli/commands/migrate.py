"""`viva migrate`: the interviews' tables, brought to the version this program needs."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.calls import err, refuse, run, tell
from services.interview.settings import InterviewServerSettings
from services.runtime.settings import load


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only look; exit status 1 where something is to do.")
    ] = False,
) -> None:
    """Bring the interviews' tables to the version this program needs.

    The interview server does it by itself at its start; this is for whoever wants it done before.
    The database is that of VIVA_INTERVIEW_DATABASE_URL, or the one of a running `viva up`. A
    version that fails leaves everything as it was.
    """
    settings = load(InterviewServerSettings)
    if settings.store == "memory":
        refuse("VIVA_INTERVIEW_STORE is memory: there are no tables")
    # What speaks to a database is installed with the interview server.
    from services.interview.store.opening import server_of
    from services.interview.store.tables import tables
    from services.runtime.errors import ResourceMissing
    from services.runtime.postgres import migrating
    from services.runtime.postgres.failures import StoreFailed

    server = server_of(settings)
    try:
        doing = migrating.versions if check else migrating.upgrade
        found = run(doing(server, tables()))
    except StoreFailed as error:
        tell(f"{server.shown}: {error.message}")
        raise typer.Exit(3) from None
    except ResourceMissing as error:
        tell(str(error))
        raise typer.Exit(1) from None
    there = found.there or "none"
    if found.there == found.needed:
        err.print(f"{server.shown}: version {there}, nothing to do", soft_wrap=True)
    elif check:
        err.print(f"{server.shown}: version {there}, needs {found.needed}", soft_wrap=True)
        raise typer.Exit(1)
    else:
        err.print(f"{server.shown}: from version {there} to {found.needed}", soft_wrap=True)
