"""How a command starts: with what it needs, so that it starts at once."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.running_mesh import ROOT

# Of what only `viva bench` and the servers need: a second of everybody's time.
_HEAVY = ("alembic", "sqlalchemy", "ctranslate2", "onnxruntime", "services.interview.server")


def test_no_command_waits_for_what_a_benchmark_brings() -> None:
    program = "import sys, services.cli.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert {"services.cli.app", *_HEAVY} & set(done.stdout.split()) == {"services.cli.app"}
