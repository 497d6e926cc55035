"""What a setting may say of where a database is."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def checked_url(url: str) -> str:
    """The URL of a PostgreSQL database, as it is.

    Raises:
        ValueError: It is none. What it holds is not quoted: a part of it is a password.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Its own words quote what it read, which may be of the password.
        parts = None
    if parts is None or parts.netloc.count("@") > 1 or "@" in f"{parts.path}{parts.fragment}":
        raise ValueError(
            "is no URL with a host and a port; percent-encode what is not a letter or a digit"
            " in the password (@ is %40, / is %2F, # is %23)"
        )
    return url


def _checked(url: SecretStr) -> SecretStr:
    checked_url(url.get_secret_value())
    return url


PostgresUrl = Annotated[SecretStr, AfterValidator(_checked)]
"""A setting that names a database; it is kept from logs for its password."""
