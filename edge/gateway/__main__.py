"""Runs the gateway."""

from edge.gateway.server import main

if __name__ == "__main__":
    main()
