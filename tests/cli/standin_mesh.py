"""`viva up` with stand-ins for the model servers and the interview, and with the real Envoy."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from edge.envoy.settings import Endpoint
from services.cli import app
from services.cli.commands import mesh
from services.cli.launcher.envoy import Envoy
from services.cli.launcher.plan import POSTGRES, Plan, make_plan


def plan(*arguments: Any, **options: Any) -> Plan:
    """The real plan, with stand-ins where the models would be."""
    made = make_plan(*arguments, **options)
    standin = str(Path(__file__).with_name("standin.py"))

    def command(server: str, real: tuple[str, ...]) -> tuple[str, ...]:
        if server in {"envoy", "reflection", "bridge"}:
            return real
        return (sys.executable, standin, server)

    return replace(
        made,
        servers={
            name: replace(server, command=command(name, server.command))
            for name, server in made.servers.items()
        },
        programs=tuple(
            replace(program, command=command(program.server, program.command))
            for program in made.programs
            if program.server != POSTGRES
        ),
    )


until_called = Envoy.until_called


async def until_called_or_at_odds(envoy: Envoy, server: str, endpoint: Endpoint) -> None:
    """What nobody has foreseen happens to a restart while there is a file `at-odds`."""
    if (Path(os.environ["VIVA_DATA_DIR"]) / "at-odds").exists():
        raise RuntimeError("nobody has foreseen this")
    await until_called(envoy, server, endpoint)


if __name__ == "__main__":
    with (
        patch.object(mesh, "make_plan", plan),
        patch.object(Envoy, "until_called", until_called_or_at_odds),
    ):
        app.main()
