"""The `viva` command: what each subcommand is called and where it lives."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from services import __version__
from services.cli.calls import out
from services.cli.commands import config, doctor, mesh, models, speech, status, text
from services.cli.commands.account import account
from services.cli.commands.bench import bench
from services.cli.commands.fetch import fetch
from services.cli.commands.interview import interview
from services.cli.commands.migrate import migrate
from services.cli.commands.report import report

app = typer.Typer(
    name="viva",
    epilog="Start with `viva up`. Exit statuses: 0 done, 1 failed, 2 wrong usage or a refused"
    " field, 3 the mesh does not answer, 4 overloaded, 5 the deadline passed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def viva(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Spoken practice interviews and the model-serving mesh under them."""


_INTERVIEWS = "Interviews"
_SPEECH = "Speech"
_TEXT = "Text"
_MESH = "The mesh"

app.command(rich_help_panel=_INTERVIEWS)(interview)
app.command(rich_help_panel=_INTERVIEWS)(report)
app.command(rich_help_panel=_SPEECH)(speech.transcribe)
app.command(rich_help_panel=_SPEECH)(speech.say)
app.command(rich_help_panel=_SPEECH)(speech.voices)
app.command(rich_help_panel=_TEXT)(text.chat)
app.command(rich_help_panel=_TEXT)(text.embed)
app.command(rich_help_panel=_TEXT)(text.similarity)
app.command(rich_help_panel=_TEXT)(text.rerank)
app.command(rich_help_panel=_MESH)(mesh.up)
app.command(rich_help_panel=_MESH)(mesh.down)
app.command(rich_help_panel=_MESH)(mesh.restart)
app.command(rich_help_panel=_MESH)(status.status)
app.command(rich_help_panel=_MESH)(models.models)
app.command(rich_help_panel=_MESH)(doctor.doctor)
app.command(rich_help_panel=_MESH)(fetch)
app.command(rich_help_panel=_MESH)(migrate)
app.command(rich_help_panel=_MESH)(config.config)
app.add_typer(account, rich_help_panel=_MESH)
app.add_typer(bench, rich_help_panel=_MESH)


def main() -> None:
    """Runs the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
