"""What a doubted clock showed last, so that only a clock that goes on is believed."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.execute("ALTER TABLE account.sweep ADD COLUMN seen timestamptz")


def downgrade() -> None:
    """Drops it."""
    op.execute("ALTER TABLE account.sweep DROP COLUMN seen")
