"""Guests whose interviews pass to an account."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role, wall

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    # Of one guest one: they are nobody's any more. It goes with either of the two.
    op.execute(
        """
        CREATE TABLE account.transfer (
            guest_id uuid PRIMARY KEY REFERENCES account.users ON DELETE CASCADE,
            user_id uuid NOT NULL REFERENCES account.users ON DELETE CASCADE,
            requested timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            due timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX transfer_to_user ON account.transfer (user_id)")
    op.execute("CREATE INDEX transfer_due ON account.transfer (due)")
    for statement in wall("account.transfer"):
        op.execute(statement)
    op.execute(role("account"))


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE account.transfer")
