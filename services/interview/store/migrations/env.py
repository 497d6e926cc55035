"""Alembic's environment: one transaction for all revisions, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

_LOCK = 0x76697661
"""The advisory lock: processes that start together migrate one after the other."""


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        # Before the version is looked at, and held to the end of the transaction.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    _migrate(context.config.attributes["connection"])
