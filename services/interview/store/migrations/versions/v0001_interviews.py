"""Interviews, their turns, lasting events, reports, recordings and leases."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every row names its owner, and belongs to the owner's interview or to none.
_OWNED = """
    interview_id uuid NOT NULL,
    user_id text NOT NULL,
    FOREIGN KEY (interview_id, user_id) REFERENCES interview (id, user_id) ON DELETE CASCADE
"""

_UP = (
    # Whose files are whose, where several databases were used with one data folder.
    """
    CREATE TABLE store (
        id uuid PRIMARY KEY DEFAULT uuidv7(),
        created timestamptz NOT NULL DEFAULT now()
    )
    """,
    "INSERT INTO store DEFAULT VALUES",
    """
    CREATE TABLE interview (
        id uuid PRIMARY KEY,
        user_id text NOT NULL,
        settings jsonb NOT NULL,
        asked jsonb,
        plan text[] NOT NULL,
        state smallint NOT NULL,
        phase smallint NOT NULL,
        round smallint NOT NULL,
        created timestamptz NOT NULL,
        started timestamptz,
        ended timestamptz,
        changed timestamptz NOT NULL DEFAULT now(),
        key text,
        voice text,
        overall_score double precision,
        failure jsonb,
        epoch bytea NOT NULL,
        session bytea NOT NULL DEFAULT '',
        UNIQUE (id, user_id)
    )
    """,
    "CREATE INDEX interview_of_user ON interview (user_id, created DESC, id DESC)",
    "CREATE UNIQUE INDEX interview_by_key ON interview (user_id, key) WHERE key IS NOT NULL",
    "CREATE INDEX interview_by_age ON interview (changed)",
    f"""
    CREATE TABLE turn (
        {_OWNED},
        id text NOT NULL,
        place integer NOT NULL,
        speaker smallint NOT NULL,
        text text NOT NULL,
        start_seconds double precision NOT NULL,
        end_seconds double precision NOT NULL,
        words jsonb NOT NULL,
        round smallint NOT NULL,
        question_id text NOT NULL,
        typed boolean NOT NULL,
        PRIMARY KEY (interview_id, id)
    )
    """,
    "CREATE INDEX turn_in_order ON turn (interview_id, place)",
    f"""
    CREATE TABLE event (
        {_OWNED},
        seq bigint NOT NULL,
        at_seconds double precision NOT NULL,
        kind text NOT NULL,
        content jsonb NOT NULL,
        PRIMARY KEY (interview_id, seq)
    )
    """,
    f"""
    CREATE TABLE report (
        {_OWNED},
        content jsonb NOT NULL,
        written timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (interview_id)
    )
    """,
    f"""
    CREATE TABLE recording (
        {_OWNED},
        file text PRIMARY KEY,
        speaker smallint NOT NULL,
        rate_hz integer NOT NULL,
        wrapped_key bytea NOT NULL,
        places jsonb NOT NULL,
        size bigint NOT NULL,
        over boolean NOT NULL
    )
    """,
    "CREATE INDEX recording_of_interview ON recording (interview_id, speaker, file)",
    # Apart from the interview: it is written every few seconds.
    f"""
    CREATE TABLE lease (
        {_OWNED},
        holder text NOT NULL,
        token bigint NOT NULL,
        expires timestamptz NOT NULL,
        PRIMARY KEY (interview_id)
    )
    """,
    """
    CREATE TABLE deletion (
        user_id text NOT NULL,
        interview_id uuid NOT NULL,
        deleted timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, interview_id)
    )
    """,
)

_DOWN = ("deletion", "lease", "recording", "report", "event", "turn", "interview", "store")


def upgrade() -> None:
    """Makes the tables."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Drops them, with everything in them."""
    for table in _DOWN:
        op.execute(f"DROP TABLE {table}")
