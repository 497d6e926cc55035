"""`python -m services.llm`."""

from services.llm.server import main

if __name__ == "__main__":
    main()
