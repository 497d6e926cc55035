"""A deletion says whether the interview ever began: one that did not counts in no quota."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; of what was deleted before it is not known, and counts on."""
    op.execute("ALTER TABLE deletion ADD COLUMN unbegun boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    """Drops it."""
    op.execute("ALTER TABLE deletion DROP COLUMN unbegun")
