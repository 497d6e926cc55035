"""Commands that are imported when they are named: one does not wait for what others bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is.

    Attributes:
        module: What to import; the command's function, or its group, has the command's name there.
        panel: Under which heading of the help it is.
    """

    module: str
    panel: str


class _Commands(MutableMapping[str, Any]):
    """The commands by name, in the help's order, each imported when it is asked for."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._imported: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._imported:
            place = self._places[name]
            found = getattr(import_module(place.module), name)
            alone = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")
            if isinstance(found, typer.Typer):
                alone.add_typer(found, rich_help_panel=place.panel)
            else:
                alone.command(rich_help_panel=place.panel)(found)
            self._imported[name] = typer.main.get_group(alone).commands[name]
        return self._imported[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def lazy_group(places: Mapping[str, Place]) -> type[TyperGroup]:
    """The class of a group of these commands."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(places)

    return LazyGroup
