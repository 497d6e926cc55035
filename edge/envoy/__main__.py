"""`python -m edge.envoy DIRECTORY`: writes the configuration and has Envoy check it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from edge.envoy.binary import ConfigurationError, validate
from edge.envoy.bootstrap import write
from edge.envoy.settings import EnvoySettings
from services.runtime import logs
from services.runtime.settings import load


def main() -> int:
    """Returns 0, or 1 when Envoy refuses the configuration."""
    parser = argparse.ArgumentParser(prog="python -m edge.envoy", description=__doc__)
    parser.add_argument("directory", type=Path, help="where envoy.json and its files go")
    directory = parser.parse_args().directory
    logs.configure("envoy", "INFO")
    try:
        written = write(load(EnvoySettings), directory)
        asyncio.run(validate(written))
    except (ConfigurationError, LookupError, ValueError) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    sys.stdout.write(f"{written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
