"""What addresses have used whose accounts are gone, and which accounts have proven theirs."""

from __future__ import annotations

from alembic import op

from services.runtime.postgres.row_security import role

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and the column."""
    op.execute("ALTER TABLE account.users ADD COLUMN email_proven boolean NOT NULL DEFAULT false")
    # Nobody's: the digest is of an address, under a key that is not in the database.
    op.execute(
        """
        CREATE TABLE account.remembered_use (
            digest bytea NOT NULL,
            kind text NOT NULL,
            month date NOT NULL,
            proven boolean NOT NULL,
            used integer NOT NULL,
            PRIMARY KEY (digest, kind, month, proven)
        )
        """
    )
    op.execute(role("account"))


def downgrade() -> None:
    """Drops them."""
    op.execute("DROP TABLE account.remembered_use")
    op.execute("ALTER TABLE account.users DROP COLUMN email_proven")
