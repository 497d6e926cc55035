"""The model servers as the interview sees them: Protocols (`seams`) and their gRPC clients."""
