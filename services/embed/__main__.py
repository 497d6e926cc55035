"""`python -m services.embed` starts the server."""

from services.embed.server import main

if __name__ == "__main__":
    main()
