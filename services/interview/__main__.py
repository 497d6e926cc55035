"""Starts the interview server."""

from services.interview.server import main

main()
