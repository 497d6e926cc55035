"""How much memory this process takes at most while something runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SELF = Path("/proc/self")


class Peak:
    """Filled when the scope is left.

    Attributes:
        grown: How far the highest resident memory was above that at the beginning, in MiB.
    """

    grown: float = 0.0


@contextmanager
def peak_measured() -> Iterator[Peak]:
    """Measures from here on: `getrusage` tells the highest of the process's whole life."""
    (_SELF / "clear_refs").write_text("5")  # proc(5): resets VmHWM to what is resident now
    peak, before = Peak(), _kib("VmRSS")
    yield peak
    peak.grown = (_kib("VmHWM") - before) / 1024


def _kib(field: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
