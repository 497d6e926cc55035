"""When accounts were last swept by age, so that a clock that jumps ahead is noticed."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role
from services.runtime.postgres.sweeping import table

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.execute(table("account.sweep"))
    op.execute(role("account"))


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE account.sweep")
