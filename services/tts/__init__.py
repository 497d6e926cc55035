"""The text-to-speech server."""
