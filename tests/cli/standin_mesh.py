"""`viva up` with stand-ins for the model servers and the interview, and with the real Envoy."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from services.cli import app
from services.cli.commands import mesh
from services.cli.launcher.plan import Plan, make_plan


def plan(offset: int = 0) -> Plan:
    made = make_plan(offset)
    standin = str(Path(__file__).with_name("standin.py"))
    return replace(
        made,
        programs=tuple(
            program
            if program.name in {"envoy", "reflection"}
            else replace(program, command=(sys.executable, standin, program.name))
            for program in made.programs
        ),
    )


if __name__ == "__main__":
    with patch.object(mesh, "make_plan", plan):
        app.main()
