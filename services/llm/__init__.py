"""The language model server: chat streamed token by token, constrained when asked."""
