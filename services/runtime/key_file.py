"""Keys that a server encrypts under: from a setting, or a file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from services.runtime.errors import ResourceMissing

KEY_BYTES = 32


def told_key(told: str) -> bytes:
    """A key as a setting gives it: base64 of `KEY_BYTES`.

    Raises:
        ValueError: It is no key.
    """
    try:
        key = base64.b64decode(told, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes in base64, as `openssl rand -base64 32` makes")
    return key


def _checked(told: SecretStr) -> SecretStr:
    told_key(told.get_secret_value())
    return told


ToldKey = Annotated[SecretStr, AfterValidator(_checked)]
"""A setting that holds a key, as `told_key` reads it."""


def key_in(path: Path, what: str) -> bytes:
    """The key in a file, which is made, for its owner alone, if there is none.

    Args:
        path: The file.
        what: What is lost without it: "recordings".

    Raises:
        ResourceMissing: It cannot be read or made, or holds no key.
    """
    try:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ResourceMissing(f"{path}: {error.strerror}", f"it keeps {what} readable") from None
    if len(key) != KEY_BYTES:
        raise ResourceMissing(
            f"{path} holds no key of {KEY_BYTES} bytes",
            f"restore it from a backup, or remove it, and with it all {what}",
        )
    return key


def _make(path: Path) -> None:
    """Makes the file whole or not at all; of processes that do so together one succeeds."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(new)
    except FileExistsError:
        pass
    finally:
        new.unlink()
