"""The accounts' migrations."""
