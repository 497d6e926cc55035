"""The `viva` command."""
