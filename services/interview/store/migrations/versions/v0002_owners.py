"""Rows that only their owner's transactions see, and how long an owner's interviews are kept."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role, unwall, wall

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OWNED = ("interview", "turn", "event", "report", "recording", "lease", "deletion", "owner")

_UP = (
    """
    CREATE TABLE owner (
        user_id text PRIMARY KEY,
        retention interval NOT NULL
    )
    """,
    *(statement for table in _OWNED for statement in wall(table, kind="text")),
    role("public"),
)


def upgrade() -> None:
    """Walls the tables in."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Takes the walls down, and forgets what owners wished."""
    for table in _OWNED:
        for statement in unwall(table):
            op.execute(statement)
    op.execute("DROP TABLE owner")
