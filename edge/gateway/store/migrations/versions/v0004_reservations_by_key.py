"""Uses are found by what was used: a guest's may be another's when one is given back."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the index."""
    op.execute("CREATE INDEX reservation_by_key ON account.reservation (kind, key)")


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP INDEX account.reservation_by_key")
