"""The key-encryption key, and the keys of recordings under it.

A recording's key is kept in the record, wrapped by AES-256-GCM under a key that is not: whoever has
the database's dump alone, or the files alone, hears nothing. The wrapped key is bound to its owner
and file: in another's row it opens nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.interview.recordings.sealing import Tampered
from services.interview.settings import KEY_BYTES
from services.runtime.errors import ResourceMissing

_VERSION = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12


class KeyRing:
    """Wraps and unwraps keys under one key-encryption key."""

    def __init__(self, key: bytes) -> None:
        """Takes the key, `KEY_BYTES` long."""
        self._cipher = AESGCM(key)
        self.id = hashlib.blake2b(key, digest_size=_ID_BYTES, person=b"viva-kek").digest()
        """Tells this key from another, and nothing else of it."""

    @staticmethod
    def new() -> bytes:
        """A random key."""
        return secrets.token_bytes(KEY_BYTES)

    def wrap(self, key: bytes, user: str, file: str) -> bytes:
        """The key of a file, as it may be kept."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = _VERSION + self.id
        return header + nonce + self._cipher.encrypt(nonce, key, _bound(header, user, file))

    def unwrap(self, wrapped: bytes, user: str, file: str) -> bytes:
        """The key of a file.

        Raises:
            Tampered: It was wrapped under another key, or for another user or file.
        """
        header, rest = wrapped[: 1 + _ID_BYTES], wrapped[1 + _ID_BYTES :]
        nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        if header != _VERSION + self.id:
            raise Tampered(f"the key of {file} was wrapped under another key than this server has")
        try:
            return self._cipher.decrypt(nonce, sealed, _bound(header, user, file))
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"the key of {file}") from error


def _bound(header: bytes, user: str, file: str) -> bytes:
    return b"\0".join((header, user.encode(), file.encode()))


def key_in(path: Path) -> bytes:
    """The key in a file, which is made, for its owner alone, if there is none.

    Raises:
        ResourceMissing: It cannot be read or made, or holds no key.
    """
    try:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ResourceMissing(f"{path}: {error.strerror}", "it keeps recordings readable") from None
    if len(key) != KEY_BYTES:
        raise ResourceMissing(
            f"{path} holds no key of {KEY_BYTES} bytes",
            "restore it from a backup, or remove it, and with it all recordings",
        )
    return key


def _make(path: Path) -> None:
    """Makes the file whole or not at all; of processes that do so together one succeeds."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(KeyRing.new())
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(new)
    except FileExistsError:
        pass
    finally:
        new.unlink()
