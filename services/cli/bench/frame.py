"""What every benchmark has in common: figures with targets, where they were taken, a file."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.table import Table

from services.cli.calls import out


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        name: What was measured.
        value: The number.
        unit: Its unit; "x" for a ratio.
        most: The target, when it is an upper bound.
        least: The target, when it is a lower bound.
    """

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.most is not None:
            return self.value <= self.most
        if self.least is not None:
            return self.value >= self.least
        return None

    @property
    def target(self) -> str:
        """The target in words."""
        if self.most is not None:
            return f"≤ {self.most:g}"
        return f"≥ {self.least:g}" if self.least is not None else ""


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What a benchmark found.

    Attributes:
        what: The benchmark.
        figures: Its numbers.
        models: The models that took part, by server.
        notes: What a reader has to know to read the numbers.
        curves: Whole curves behind single figures, by name: points (x, y).
    """

    what: str
    figures: Sequence[Figure]
    models: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of some values; not a number when there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


@dataclass(frozen=True, slots=True)
class Steal:
    """How much of the machine others took during a run: shared hosts can double a time."""

    started: float = field(default_factory=lambda: psutil.cpu_times().steal)
    at: float = field(default_factory=time.monotonic)

    def percent(self) -> float:
        """Percent of all cores' time since this was made."""
        taken = psutil.cpu_times().steal - self.started
        return 100 * taken / max(1e-9, (time.monotonic() - self.at) * (psutil.cpu_count() or 1))


def machine() -> dict[str, object]:
    """The machine the figures hold for."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def commit() -> str:
    """The revision that was measured, with a mark if there are uncommitted changes."""
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return answer.stdout.strip() or "unknown"


def as_json(result: BenchResult, steal: float) -> dict[str, object]:
    """The whole record of a run."""
    return {
        "what": result.what,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "machine": machine(),
        "steal_percent": round(steal, 1),
        "models": dict(result.models),
        "figures": [
            # JSON has no word for "not a number".
            {**asdict(f), "value": f.value if math.isfinite(f.value) else None, "met": f.met}
            for f in result.figures
        ],
        "notes": list(result.notes),
        **({"curves": dict(result.curves)} if result.curves else {}),
    }


def write(record: Mapping[str, object], directory: Path) -> Path:
    """Writes the record to `directory` and returns the file."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{record['what']}.json"
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    return path


def show(result: BenchResult, record: Mapping[str, object]) -> None:
    """Prints the figures for a person."""
    table = Table(box=None, pad_edge=False)
    table.add_column(result.what)
    table.add_column("", justify="right")
    table.add_column("")
    table.add_column("target")
    for figure in result.figures:
        mark = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met]
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, f"{figure.target} {mark}")
    out.print(table)
    for note in result.notes:
        out.print(f"[dim]{note}[/]")
    where = machine()
    models = ", ".join(f"{server} {model}" for server, model in result.models.items())
    out.print(
        f"[dim]{where['cpu']}, {where['cores']} cores; commit {record['commit']};"
        f" steal {record['steal_percent']} %{'; ' + models if models else ''}[/]"
    )
