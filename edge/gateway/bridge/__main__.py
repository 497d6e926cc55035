"""`python -m edge.gateway.bridge`."""

from edge.gateway.bridge.server import main

if __name__ == "__main__":
    main()
