"""The keys of recordings, under the key-encryption key.

A recording's key is kept in the record, wrapped by AES-256-GCM under a key that is not: whoever has
the database's dump alone, or the files alone, hears nothing. The wrapped key is bound to its owner
and file: in another's row it opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.interview.recordings.sealing import Tampered
from services.runtime.key_file import KEY_BYTES

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
