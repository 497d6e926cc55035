"""`python -m services.embed` starts the server."""

import sys

if __name__ == "__main__":
    try:
        from services.embed.server import main
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"viva embed: the package {error.name} is not installed; install viva-mesh[embed]\n"
        )
        sys.exit(2)
    main()
