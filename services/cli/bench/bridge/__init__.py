"""What the WebSocket bridge costs: its own process between a raw client and a server that echoes."""
