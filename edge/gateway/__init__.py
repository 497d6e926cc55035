"""What stands behind the edge listener: accounts, their policy, and the WebSocket bridge."""
