"""What the WebSocket bridge costs: a process between a raw client and a server that echoes."""
