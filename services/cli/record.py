"""What is kept, and cannot be read just now: told in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from services.cli.calls import tell

if TYPE_CHECKING:
    from services.runtime.postgres.database import Server
    from services.runtime.postgres.failures import StoreFailed


def cannot_use(server: Server, error: StoreFailed) -> NoReturn:
    """Ends the command because its database did not do it."""
    embedded = server.url is None and error.reason == "STORE_LOST"
    tell(f"{server.shown}: {error.message}{'; `viva up` runs it' if embedded else ''}")
    raise typer.Exit(3) from None
