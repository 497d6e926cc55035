"""What was heard and said, as sealed sound files."""
