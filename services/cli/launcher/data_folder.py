"""Where a mesh keeps what it keeps."""

from __future__ import annotations

import os
from pathlib import Path

from services.runtime.settings import default_data_dir


def data_dir() -> Path:
    """Where everything is kept: VIVA_DATA_DIR or the default."""
    return Path(os.environ.get("VIVA_DATA_DIR") or default_data_dir()).expanduser().resolve()
