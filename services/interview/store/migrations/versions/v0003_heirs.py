"""An interview that passes to another user takes along all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OF_INTERVIEWS = ("turn", "event", "report", "recording", "lease")


def _following(action: str) -> Iterator[str]:
    """The statements that have the rows' owner follow the interview's in this way."""
    for table in _OF_INTERVIEWS:
        name = f"{table}_interview_id_user_id_fkey"
        yield f"ALTER TABLE {table} DROP CONSTRAINT {name}"
        yield (
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (interview_id, user_id)"
            f" REFERENCES interview (id, user_id) ON DELETE CASCADE ON UPDATE {action}"
        )


def upgrade() -> None:
    """Has the owner of every row follow."""
    for statement in _following("CASCADE"):
        op.execute(statement)


def downgrade() -> None:
    """Has an interview stay with its user."""
    for statement in _following("NO ACTION"):
        op.execute(statement)
