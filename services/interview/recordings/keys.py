"""The keys of recordings, under the key-encryption key.

A recording's key is kept in the record, wrapped by AES-256-GCM under a key that is not: whoever has
the database's dump alone, or the files alone, hears nothing. The wrapped key is bound to its owner
and file: in another's row it opens nothing. Where an interview has passed to another user, the
key says for whom the file was sealed, which its segments are authenticated with.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.interview.recordings.sealing import KEY_BITS, Tampered
from services.runtime.key_file import KEY_BYTES

_OWN, _PASSED_ON = b"\x01", b"\x02"
"""Versions: the key alone; the key, and behind it for whom the file was sealed."""
_ID_BYTES = 8
_FILE_KEY_BYTES = KEY_BITS // 8
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class FileKey:
    """What opens a file.

    Attributes:
        key: Its key.
        sealed_for: Whose it was when it was written.
    """

    key: bytes
    sealed_for: str


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
        return self._wrapped(_OWN, key, user, file)

    def pass_on(self, wrapped: bytes, user: str, heir: str, file: str) -> bytes:
        """The key of a user's file, as it may be kept for another who has the file from now on.

        Raises:
            Tampered: It was wrapped under another key, or for another user or file.
        """
        opened = self.unwrap(wrapped, user, file)
        return self._wrapped(_PASSED_ON, opened.key + opened.sealed_for.encode(), heir, file)

    def _wrapped(self, version: bytes, content: bytes, user: str, file: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = version + self.id
        return header + nonce + self._cipher.encrypt(nonce, content, _bound(header, user, file))

    def unwrap(self, wrapped: bytes, user: str, file: str) -> FileKey:
        """What opens a user's file.

        Raises:
            Tampered: It was wrapped under another key, or for another user or file.
        """
        header, rest = wrapped[: 1 + _ID_BYTES], wrapped[1 + _ID_BYTES :]
        nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        if header not in {_OWN + self.id, _PASSED_ON + self.id}:
            raise Tampered(f"the key of {file} was wrapped under another key than this server has")
        try:
            content = self._cipher.decrypt(nonce, sealed, _bound(header, user, file))
        except (InvalidTag, ValueError) as error:
            raise Tampered(f"the key of {file}") from error
        if header.startswith(_OWN):
            return FileKey(content, user)
        return FileKey(content[:_FILE_KEY_BYTES], content[_FILE_KEY_BYTES:].decode())


def _bound(header: bytes, user: str, file: str) -> bytes:
    return b"\0".join((header, user.encode(), file.encode()))
