"""`python -m services.tts` runs the server."""

from services.tts.server import main

main()
