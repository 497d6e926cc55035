"""Text to vectors: the embedding server."""
