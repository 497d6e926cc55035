"""Every environment variable of the program: of its settings and of its commands' options."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import typer
from pydantic_settings import BaseSettings

from edge.envoy.settings import EnvoySettings
from edge.gateway.bridge.settings import BridgeSettings
from services.cli.launcher.settings import LauncherSettings
from services.runtime.settings import ServerSettings, load, variable, without_user

_SERVERS = ("asr", "tts", "llm", "embed", "interview", "gateway", "reflection")
_PACKAGES = {"gateway": "edge", "reflection": "edge"}
# What is read where it is needed, by neither settings nor an option.
_OTHERS = {"VIVA_SPOKEN": "Where `viva bench endpointing` keeps the speech that it has made."}


@dataclass(frozen=True, slots=True)
class Variable:
    """One of them.

    Attributes:
        value: What it is set to, or is without being set, as JSON can say it; a secret is masked,
            and so is who a URL says one is.
        description: What it is, in a sentence.
    """

    value: object
    description: str


def settings_classes() -> dict[str, type[BaseSettings]]:
    """Every server's settings, the bridge's, Envoy's, and `viva up`'s own, by name."""
    found: dict[str, type[BaseSettings]] = {}
    for server in _SERVERS:
        module = importlib.import_module(f"{_PACKAGES.get(server, 'services')}.{server}.settings")
        found[server] = next(
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, ServerSettings)
            and value is not ServerSettings
        )
    found["bridge"] = BridgeSettings
    found["envoy"] = EnvoySettings
    found["up"] = LauncherSettings
    return found


def variables(context: typer.Context) -> Mapping[str, Variable]:
    """All of them by name. What several servers share is there once.

    Raises:
        SystemExit: One that is set makes no sense.
    """
    found: dict[str, Variable] = {}
    for settings in settings_classes().values():
        values = load(settings).model_dump(mode="json")
        for field, about in settings.model_fields.items():
            value = values[field]
            if isinstance(value, str) and "://" in value:
                value = without_user(value)
            shown = Variable(value, about.description or "")
            found.setdefault(variable(settings, field), shown)
    for name, description in _read_by_commands(context):
        found.setdefault(name, Variable(os.environ.get(name), description))
    return found


def misspelt(context: typer.Context) -> Sequence[str]:
    """A sentence about each variable that is set, looks like one of ours, and that nothing reads.

    Those of other programs that begin with VIVA_ are left alone.
    """
    classes = settings_classes().values()
    listed = {variable(each, field) for each in classes for field in each.model_fields}
    listed |= {name for name, _ in _read_by_commands(context)}
    prefixes = [each.model_config.get("env_prefix", "") for each in classes]
    # A server also reads what is for all of them under its own prefix.
    known = listed | {
        f"{each.model_config.get('env_prefix', '')}{field.upper()}"
        for each in classes
        for field in each.model_fields
    }
    found = []
    for name in sorted(name for name in os.environ if name.startswith("VIVA_")):
        if name.upper() in known:
            continue
        # Of a server, which is not named in it.
        meant = sorted({each + name.upper().removeprefix("VIVA_") for each in prefixes} & listed)
        nearest = meant or difflib.get_close_matches(name, sorted(listed), n=1, cutoff=0.8)
        if nearest:
            are = "are" if len(nearest) > 1 else "is"
            found.append(f"{name} is no setting; {', '.join(nearest)} {are}")
        elif name.startswith(tuple(prefixes)):
            found.append(f"{name} is no setting; `viva config` lists those that are")
    return found


def _read_by_commands(context: typer.Context) -> Iterator[tuple[str, str]]:
    """The variables of options, with what they are."""
    commands = [context.find_root().command]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        for option in command.params:
            if isinstance(option.envvar, str):
                yield option.envvar, getattr(option, "help", None) or ""
    yield from _OTHERS.items()
