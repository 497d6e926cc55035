"""`python -m edge.reflection`."""

from edge.reflection.server import main

if __name__ == "__main__":
    main()
