"""The `viva` command: what each subcommand is called and where it lives."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from services import __version__
from services.cli.lazy_commands import Place, lazy_group

_PANELS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "Interviews": {"interview": ("interview",), "report": ("report",)},
    "Speech": {"speech": ("transcribe", "say", "voices")},
    "Text": {"text": ("chat", "embed", "similarity", "rerank")},
    "The mesh": {
        "mesh": ("up", "down", "restart"),
        "status": ("status",),
        "models": ("models",),
        "doctor": ("doctor",),
        "fetch": ("fetch",),
        "migrate": ("migrate",),
        "config": ("config",),
        "account": ("account",),
        "bench": ("bench",),
    },
}
"""Of every heading of the help, the modules in `services.cli.commands` and their commands."""

app = typer.Typer(
    name="viva",
    cls=lazy_group(
        {
            name: Place(f"services.cli.commands.{module}", panel)
            for panel, modules in _PANELS.items()
            for module, names in modules.items()
            for name in names
        }
    ),
    epilog="Start with `viva up`. Exit statuses: 0 done, 1 failed, 2 wrong usage or a refused"
    " field, 3 the mesh does not answer, 4 overloaded, 5 the deadline passed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        typer.echo(__version__)
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


def main() -> None:
    """Runs the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
