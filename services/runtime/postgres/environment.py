"""Alembic's environment: one transaction for all revisions, one process at a time."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import text

SCHEMA_OPTION = "viva_schema"
"""Where a store's tables and their version are; absent: the database's first schema."""
_LOCK = 0x76697661
"""The advisory lock: processes that start together migrate one after the other."""


def run() -> None:
    """Runs the revisions that are due, or, offline, writes them down."""
    schema = context.config.get_main_option(SCHEMA_OPTION)
    options: dict[str, Any] = {"transactional_ddl": True}
    if schema:
        options["version_table_schema"] = schema
    offline = context.is_offline_mode()
    if offline:
        context.configure(dialect_name="postgresql", literal_binds=True, **options)
    else:
        context.configure(connection=context.config.attributes["connection"], **options)
    with context.begin_transaction():
        if not offline:
            # Before the version is looked at, and held to the end of the transaction.
            context.get_bind().execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if schema:
            context.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        context.run_migrations()
