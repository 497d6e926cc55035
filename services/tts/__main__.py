"""`python -m services.tts` starts the server."""

import sys

from services.tts.installing import EXTRA

if __name__ == "__main__":
    try:
        from services.tts.server import main
    except ModuleNotFoundError as error:
        sys.stderr.write(f"viva tts: the package {error.name} is not installed; {EXTRA}\n")
        sys.exit(2)
    main()
