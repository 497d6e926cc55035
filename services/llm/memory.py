"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes


def return_freed_memory() -> None:
    """Asks glibc for what it keeps for itself; elsewhere nothing happens.

    After hundreds of megabytes were freed at once (a conversion, the states of kept prefixes) it
    would otherwise stay with the process.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
