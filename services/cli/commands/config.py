"""`viva config`: every setting with its variable."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.calls import AsJson, out, print_json
from services.cli.variables import variables


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Print every setting with the variable that sets it. Secrets are not shown."""
    found = variables(context)
    if as_json:
        print_json({name: asdict(each) for name, each in found.items()})
        return
    rows = [
        (name, "" if each.value is None else str(each.value), each.description)
        for name, each in found.items()
    ]
    if not out.is_terminal:
        # A line each, for programs that look for one.
        names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
        for name, value, description in rows:
            typer.echo(f"{name:<{names}}  {value:<{min(values, 32)}}  {description}".rstrip())
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("variable", no_wrap=True)
    for heading in ("value", "what it is"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
