"""Users whose interviews may be kept for another time than their settings say."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role, wall

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.execute(
        """
        CREATE TABLE account.retention (
            user_id uuid PRIMARY KEY REFERENCES account.users ON DELETE CASCADE,
            attempts integer NOT NULL DEFAULT 0,
            due timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX retention_due ON account.retention (due)")
    for statement in wall("account.retention"):
        op.execute(statement)
    op.execute(role("account"))


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE account.retention")
