"""`viva config`: every setting with its variable."""

from __future__ import annotations

import importlib

from pydantic_settings import BaseSettings
from rich.markup import escape
from rich.table import Table

from edge.envoy.settings import EnvoySettings
from edge.gateway.bridge.settings import BridgeSettings
from services.cli.calls import AsJson, out, print_json
from services.cli.launcher.settings import LauncherSettings
from services.runtime.settings import ServerSettings, load, variable

_SERVERS = ("asr", "tts", "llm", "embed", "interview", "gateway")
_PACKAGES = {"gateway": "edge"}


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


def config(as_json: AsJson = False) -> None:
    """Print every setting with the variable that sets it. Secrets are not shown."""
    classes = settings_classes()
    shown = {name: load(settings).model_dump(mode="json") for name, settings in classes.items()}
    if as_json:
        print_json(shown)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("variable", "value", "what it is"):
        table.add_column(heading, overflow="fold")
    # What all servers share has one variable: it is shown once.
    rows: dict[str, tuple[object, str]] = {}
    for name, settings in classes.items():
        for field, info in settings.model_fields.items():
            rows.setdefault(variable(settings, field), (shown[name][field], info.description or ""))
    for setting, (value, description) in rows.items():
        table.add_row(setting, "" if value is None else escape(str(value)), escape(description))
    out.print(table)
