"""What alembic runs: an environment, and the versions of the tables."""
