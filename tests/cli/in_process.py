"""The command line in this process: what a command says, without a second of imports for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from unittest.mock import patch

from typer.testing import CliRunner

from services.cli import calls
from services.cli.app import app

COLUMNS = 100


@dataclass(frozen=True)
class Said:
    """What is left of a command: its exit status, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def viva(variables: Mapping[str, str], *arguments: str, text: str = "") -> Said:
    """Runs a command as in a pipe, with this environment and no other.

    Raises:
        BaseException: What nobody has foreseen, as it would end a process with a traceback.
    """
    columns = int(variables.get("COLUMNS", COLUMNS))
    with (
        patch.dict(os.environ, variables, clear=True),
        # They asked for it when they were imported.
        patch.object(calls.out, "_width", columns),
        patch.object(calls.err, "_width", columns),
    ):
        result = CliRunner().invoke(app, arguments, input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)
