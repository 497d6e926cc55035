"""The environment of the interviews' migrations."""

from __future__ import annotations

from services.runtime.postgres.environment import run

run()
