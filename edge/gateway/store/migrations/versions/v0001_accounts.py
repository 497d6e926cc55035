"""Users, where they are logged in, what they used, and what was done with their accounts."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role, wall

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every row names its owner, and goes with them.
_OWNED = "user_id uuid NOT NULL REFERENCES account.users ON DELETE CASCADE"

_TABLES = (
    "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public",
    """
    CREATE TABLE account.users (
        id uuid PRIMARY KEY,
        email public.citext UNIQUE,
        kind text NOT NULL CHECK (kind IN ('guest', 'member', 'admin')),
        plan text NOT NULL CHECK (plan IN ('free', 'pro')),
        password text,
        settings jsonb NOT NULL,
        created timestamptz NOT NULL,
        -- Only guests have neither.
        CHECK ((kind = 'guest') = (email IS NULL AND password IS NULL))
    )
    """,
    f"""
    CREATE TABLE account.session (
        id uuid PRIMARY KEY,
        {_OWNED},
        created timestamptz NOT NULL,
        used timestamptz NOT NULL,
        expires timestamptz NOT NULL,
        revoked timestamptz,
        user_agent text NOT NULL
    )
    """,
    "CREATE INDEX session_of_user ON account.session (user_id)",
    "CREATE INDEX session_by_end ON account.session (expires)",
    # A session's tokens are one family: each replaces the one before.
    f"""
    CREATE TABLE account.refresh_token (
        hash bytea PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES account.session ON DELETE CASCADE,
        {_OWNED},
        created timestamptz NOT NULL,
        rotated timestamptz
    )
    """,
    "CREATE INDEX refresh_token_of_session ON account.refresh_token (session_id)",
    "CREATE INDEX refresh_token_of_user ON account.refresh_token (user_id)",
    f"""
    CREATE TABLE account.reset_token (
        hash bytea PRIMARY KEY,
        {_OWNED},
        created timestamptz NOT NULL,
        expires timestamptz NOT NULL
    )
    """,
    "CREATE INDEX reset_token_of_user ON account.reset_token (user_id)",
    f"""
    CREATE TABLE account.reservation (
        {_OWNED},
        kind text NOT NULL,
        key text NOT NULL,
        month date NOT NULL,
        created timestamptz NOT NULL,
        PRIMARY KEY (user_id, kind, key)
    )
    """,
    "CREATE INDEX reservation_of_month ON account.reservation (user_id, kind, month)",
    # Not in the users' table, which they are gone from: what is still to be removed elsewhere.
    """
    CREATE TABLE account.deletion (
        user_id uuid PRIMARY KEY,
        requested timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        passes integer NOT NULL DEFAULT 0,
        due timestamptz NOT NULL,
        interviews integer NOT NULL DEFAULT 0,
        recordings integer NOT NULL DEFAULT 0,
        finished timestamptz
    )
    """,
    "CREATE INDEX deletion_due ON account.deletion (due) WHERE finished IS NULL",
    # Whose it was is a number that names nobody any more once they are gone.
    """
    CREATE TABLE account.audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        user_id uuid,
        action text NOT NULL,
        actor text NOT NULL,
        address text,
        details jsonb NOT NULL
    )
    """,
    "CREATE INDEX audit_of_user ON account.audit (user_id, id)",
    "CREATE INDEX audit_by_age ON account.audit (at)",
    # Failed attempts, under a hash of what they were made on: neither addresses nor guesses.
    """
    CREATE TABLE account.failures (
        subject bytea PRIMARY KEY,
        count integer NOT NULL,
        last timestamptz NOT NULL
    )
    """,
    "CREATE INDEX failures_by_age ON account.failures (last)",
    """
    CREATE TABLE account.signing_key (
        id text PRIMARY KEY,
        sealed bytea NOT NULL,
        created timestamptz NOT NULL
    )
    """,
)

# What happened has happened: a row is only ever added. What tells of a person in it goes with the
# person, and rows go by age.
_APPEND_ONLY = (
    """
    CREATE FUNCTION account.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND NEW.address IS NULL
            AND (NEW.id, NEW.at, NEW.user_id, NEW.action, NEW.actor, NEW.details)
                IS NOT DISTINCT FROM
                (OLD.id, OLD.at, OLD.user_id, OLD.action, OLD.actor, OLD.details)
        THEN
            RETURN NEW;
        ELSIF TG_OP = 'DELETE' AND OLD.at < now() - interval '365 days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit log is append-only';
    END $$
    """,
    """
    CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE ON account.audit
        FOR EACH ROW EXECUTE FUNCTION account.keep_audit()
    """,
    """
    CREATE TRIGGER keep_audit_whole BEFORE TRUNCATE ON account.audit
        FOR EACH STATEMENT EXECUTE FUNCTION account.keep_audit()
    """,
)

_WALLED = (
    ("account.users", "id"),
    ("account.session", "user_id"),
    ("account.refresh_token", "user_id"),
    ("account.reset_token", "user_id"),
    ("account.reservation", "user_id"),
    ("account.deletion", "user_id"),
    ("account.audit", "user_id"),
)


def upgrade() -> None:
    """Makes the tables."""
    for statement in (*_TABLES, *_APPEND_ONLY):
        op.execute(statement)
    for table, column in _WALLED:
        for statement in wall(table, column):
            op.execute(statement)
    op.execute(role("account"))


def downgrade() -> None:
    """Drops them, with everything in them."""
    for table in (
        "signing_key",
        "failures",
        "audit",
        "deletion",
        "reservation",
        "reset_token",
        "refresh_token",
        "session",
        "users",
    ):
        op.execute(f"DROP TABLE account.{table}")
    op.execute("DROP FUNCTION account.keep_audit")
