"""How a command starts: with what it needs, so that it starts at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.running_mesh import ROOT

# Of what only `viva bench` and the servers need: a second of everybody's time.
_HEAVY = ("alembic", "sqlalchemy", "ctranslate2", "onnxruntime", "services.interview.server")
# Of what only those need that start, or look at, servers.
_OF_THE_MESH = ("edge.envoy.settings", "httpx", "numpy", "services.runtime.server", "viva.tts.v1")
_COMMANDS = """
import sys, typer
from services.cli.app import app
commands = typer.main.get_command(app).commands
"""


def _imported(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{_COMMANDS}{program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_no_command_waits_for_what_a_benchmark_brings() -> None:
    found = _imported("dict(commands)")
    assert {"services.cli.commands.bench", *_HEAVY} & found == {"services.cli.commands.bench"}


def test_a_command_waits_for_nothing_that_others_need() -> None:
    found = _imported("commands['similarity']")
    wanted = "services.cli.commands.text"
    assert {wanted, "services.cli.commands.mesh", *_HEAVY, *_OF_THE_MESH} & found == {wanted}


@pytest.mark.parametrize("program", ["commands['up']", "import services.runtime.postgres.embedded"])
def test_what_starts_servers_is_none(program: str) -> None:
    assert not {"numpy", "protovalidate", "services.runtime.server"} & _imported(program)
