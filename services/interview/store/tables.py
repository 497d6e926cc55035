"""The interviews' tables."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config

from services.runtime.postgres.migrating import configuration

MIGRATIONS = Path(__file__).with_name("migrations")


def tables() -> Config:
    """What `services.runtime.postgres.migrating` needs to bring them to their newest version."""
    return configuration(MIGRATIONS)
