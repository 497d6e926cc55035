"""The environment of the accounts' migrations."""

from __future__ import annotations

from services.runtime.postgres.environment import run

run()
