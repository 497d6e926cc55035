"""What is authored in YAML: questions, personas, names of occupations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# The parser of libyaml is ten times as fast; a PyYAML that was built without it lacks it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_authored(path: Path) -> Any:
    """The content of a file.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 — both are safe
