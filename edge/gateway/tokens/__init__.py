"""Access tokens, the keys that sign them, and the sessions they belong to."""
