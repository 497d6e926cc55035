"""`python -m services.tts` starts the server."""

from services.tts.server import main

if __name__ == "__main__":
    main()
