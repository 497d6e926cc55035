"""The keys that sign access tokens: made, sealed, published, replaced and forgotten.

A key is published before it signs, so that whoever keeps the published keys for a while knows it by
then, and stays published after the next one has taken over, so that what it signed stays good. All
gateways of a database share its keys.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwt.algorithms import ECAlgorithm

from edge.gateway.store import signing_keys as store
from edge.gateway.store.signing_keys import SealedKey
from services.runtime.errors import ResourceMissing
from services.runtime.logs import log
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.postgres.failures import StoreFailed
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

PUBLISHED_BEFORE = timedelta(hours=1)
"""Before a key signs; whoever keeps the published keys must look again sooner."""
PUBLISHED_AFTER = timedelta(hours=2)
"""After the next key signs; more than any access token lasts."""
LOOK_SECONDS = 30.0
"""So often it is looked whether another gateway has made a key, or one is due."""
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair."""

    id: str
    private: ec.EllipticCurvePrivateKey
    created: datetime

    def published(self) -> Mapping[str, Any]:
        """The public half, as a JSON Web Key (RFC 7517)."""
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.id, "alg": "ES256", "use": "sig"}


class SigningKeys:
    """The keys that are good at present."""

    def __init__(
        self, database: Database, sealing_key: bytes, rotation: timedelta, clock: Clock
    ) -> None:
        """Takes where they are kept, under which key, and after how long one is replaced."""
        self._database = database
        self._cipher = AESGCM(sealing_key)
        self._rotation = rotation
        self._clock = clock
        self._keys: Sequence[SigningKey] = ()

    @property
    def signing(self) -> SigningKey:
        """The key to sign with: the newest that has been published for long enough."""
        known_by = self._clock() - PUBLISHED_BEFORE
        known = [key for key in self._keys if key.created <= known_by]
        return known[-1] if known else self._keys[0]

    def find(self, key_id: str) -> SigningKey | None:
        """The key of this id."""
        return next((key for key in self._keys if key.id == key_id), None)

    def document(self) -> Mapping[str, Any]:
        """All public halves: a JSON Web Key Set."""
        return {"keys": [key.published() for key in self._keys]}

    async def load(self) -> None:
        """Reads the keys, makes one where it is due, forgets those nobody needs any more.

        Raises:
            StoreFailed: The database could not do it.
            ResourceMissing: They were sealed under another key.
        """
        now = self._clock()
        async with self._database.transaction("load", EVERYBODY) as connection:
            await store.lock(connection)
            kept = list(await store.all_keys(connection))
            if not kept or kept[-1].created <= now - self._rotation:
                kept.append(self._new(now))
                await store.add(connection, kept[-1])
                log(_logger, logging.INFO, "signing key made", key=kept[-1].id)
            over = [
                key.id
                for key, following in pairwise(kept)
                if following.created <= now - PUBLISHED_BEFORE - PUBLISHED_AFTER
            ]
            if over:
                await store.remove(connection, over)
        known = {key.id: key for key in self._keys}
        self._keys = tuple(
            known.get(key.id) or self._opened(key) for key in kept if key.id not in over
        )

    async def run(self) -> None:
        """Keeps them as they should be, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(StoreFailed):  # It is logged there, and tried again.
                await self.load()

    def _new(self, now: datetime) -> SealedKey:
        key_id = secrets.token_hex(8)
        private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, private, key_id.encode())
        return SealedKey(key_id, sealed, now)

    def _opened(self, key: SealedKey) -> SigningKey:
        nonce, sealed = key.sealed[:_NONCE_BYTES], key.sealed[_NONCE_BYTES:]
        try:
            private = serialization.load_der_private_key(
                self._cipher.decrypt(nonce, sealed, key.id.encode()), None
            )
        except (InvalidTag, ValueError):
            private = None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ResourceMissing(
                f"the signing key {key.id} was sealed under another key than this gateway has",
                "restore gateway/signing.key in the data folder, or VIVA_GATEWAY_KEYS_KEY, or"
                " delete the rows of account.signing_key: everybody then logs in again",
            )
        return SigningKey(key.id, private, key.created)
