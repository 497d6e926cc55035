"""`python -m edge.reflection`."""

from edge.reflection.server import main

main()
