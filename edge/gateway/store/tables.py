"""The accounts' tables."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config

from services.runtime.postgres.migrating import configuration

SCHEMA = "account"
SWEEPS = f"{SCHEMA}.sweep"
"""The row by which it is judged whether what is old may be forgotten."""
MIGRATIONS = Path(__file__).with_name("migrations")


def tables() -> Config:
    """What `services.runtime.postgres.migrating` needs to bring them to their newest version."""
    return configuration(MIGRATIONS, SCHEMA)
