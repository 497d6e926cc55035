"""A gateway for tests: keys over HTTP, the real authorisation, sessions that end when told to."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from edge.envoy.claims import AUDIENCE, ISSUER
from edge.envoy.contracts import contracts
from edge.gateway.authorization.bodies import Bodies
from edge.gateway.authorization.policy import Policy
from edge.gateway.authorization.servicer import SERVICE, AuthorizationServicer, add_to
from tests.edge.every_method import EveryMethod

ALICE = "01890000-0000-7000-8000-00000000000a"
BOB = "01890000-0000-7000-8000-00000000000b"
_KID = "test"


def _base64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


@dataclass
class Gateway:
    """What issues tokens and decides about them.

    Attributes:
        ended: The sessions that are over.
        asked: How many decisions were asked for.
        methods: Answers every method of the account service.
    """

    port: int = 0
    keys_port: int = 0
    ended: set[str] = field(default_factory=set)
    asked: int = 0
    broken: bool = False
    methods: EveryMethod = field(default_factory=EveryMethod)
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    async def is_live(self, session_id: str) -> bool:
        self.asked += 1
        if self.broken:
            raise ConnectionError("the database is gone")
        return session_id not in self.ended

    def claims(self, user: str = ALICE, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "sid": f"session-of-{user}",
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + 900,
            "kind": "member",
            "plan": "free",
        }
        return {key: value for key, value in {**said, **changed}.items() if value is not None}

    def token(self, user: str = ALICE, **changed: Any) -> str:
        return jwt.encode(
            self.claims(user, **changed), self.key, algorithm="ES256", headers={"kid": _KID}
        )

    def bearer(self, user: str = ALICE, **changed: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(user, **changed)}"}

    @property
    def jwks(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": _KID}
        key |= {"x": _base64(numbers.x), "y": _base64(numbers.y)}
        return json.dumps({"keys": [key]}).encode()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = self.jwks
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """Runs one on free ports."""
    found = Gateway()
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 9 * 2**20)]
    server = grpc.aio.server(options=options)
    add_to(server, AuthorizationServicer(Policy(contracts()), found, Bodies(contracts())))
    found.methods.add_to(server, [c for c in contracts() if c.server == "gateway"])
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for name in (SERVICE, *(contract.name for contract in contracts())):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    found.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    keys = await asyncio.start_server(found._answer, "127.0.0.1", 0)
    found.keys_port = keys.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        keys.close()
        await server.stop(0)
