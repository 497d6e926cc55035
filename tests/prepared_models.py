"""Model files: prepared once for all suites, and kept for the next run."""

from __future__ import annotations

from pathlib import Path

from services.runtime.settings import default_data_dir


def with_prepared_models(data_dir: Path) -> Path:
    """Gives a fresh data folder the models that all tests share; returns the folder."""
    shared = default_data_dir() / "models"
    shared.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "models").symlink_to(shared)
    return data_dir
