"""The second wall: rows that only their owner's transactions see, whatever a statement forgets.

A table is walled by a policy that compares its column of the owner with `viva.user`, which
`Database.transaction` sets; what concerns all users (housekeeping, leases, logging in) says so with
`viva.everybody`. A transaction that says neither sees nothing. Superusers and whoever may bypass
row-level security would not be asked: their connections take the role `APPLICATION_ROLE` instead.
"""

from __future__ import annotations

from collections.abc import Iterable

APPLICATION_ROLE = "viva_application"
USER_SETTING = "viva.user"
EVERYBODY_SETTING = "viva.everybody"

BYPASSES = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
"""Whether the connection's own user is never asked by a policy."""

_EVERYBODY = f"current_setting('{EVERYBODY_SETTING}', true) = 'on'"


def role(schema: str) -> str:
    """The statement that lets the role use a schema's tables, where connections need it.

    Roles belong to the whole server: another database may have made it, even at this moment.
    """
    return f"""
        DO $$ BEGIN
            IF ({BYPASSES}) THEN
                BEGIN
                    CREATE ROLE {APPLICATION_ROLE} NOLOGIN;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END;
                GRANT USAGE ON SCHEMA {schema} TO {APPLICATION_ROLE};
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}
                    TO {APPLICATION_ROLE};
                GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {APPLICATION_ROLE};
                ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
                    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APPLICATION_ROLE};
            END IF;
        END $$
    """


def wall(table: str, column: str = "user_id", kind: str = "uuid") -> Iterable[str]:
    """The statements that wall a table in.

    Args:
        table: Its name.
        column: Whose a row is.
        kind: The column's type; the setting is compared as such.
    """
    owner = f"{column} = nullif(current_setting('{USER_SETTING}', true), '')::{kind}"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        # Of the tables' owner too.
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY owner ON {table} USING ({owner} OR {_EVERYBODY})",
    )


def unwall(table: str) -> Iterable[str]:
    """The statements that take the wall down."""
    return (
        f"DROP POLICY owner ON {table}",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    )
