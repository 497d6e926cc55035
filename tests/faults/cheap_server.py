"""A model server on a cheap engine as a process: `cheap_server.py NAME`.

Its ports are `VIVA_<NAME>_PORT` and `VIVA_<NAME>_METRICS_PORT`.
"""

from __future__ import annotations

import os
import sys

from services.runtime.server import run
from tests.faults.engines import build, settings
from tests.faults.gate import Gate

if __name__ == "__main__":
    name = sys.argv[1]
    own = f"VIVA_{name.upper()}"
    port, metrics = (int(os.environ[f"{own}_{which}"]) for which in ("PORT", "METRICS_PORT"))
    run(settings(port=port, metrics_port=metrics), name, build(name, Gate()))
