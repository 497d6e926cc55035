"""`python -m services.asr` starts the server."""

from services.asr.server import main

if __name__ == "__main__":
    main()
