"""How a server's process ends that did not end well, for whoever started it."""

from __future__ import annotations

EXIT_RESOURCE_MISSING = 2
EXIT_DEVICE_LOST = 3
