"""Any streaming call of a public service over one WebSocket, and the page that makes such calls.

The wire is that of gRPC-Web's WebSocket transports: docs/websocket-transport.md. The bridge knows
no message types and holds no policy: each socket becomes one gRPC call to Envoy's bridge listener,
which decides about the token that came with it.
"""
