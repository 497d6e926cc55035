"""When interviews were last deleted by age, so that a clock that jumps ahead is noticed."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role
from services.runtime.postgres.sweeping import table

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.execute(table("sweep"))
    op.execute(role("public"))


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE sweep")
