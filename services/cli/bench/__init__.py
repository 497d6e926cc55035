"""What `viva bench` measures."""
