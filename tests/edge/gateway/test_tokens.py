"""Access tokens and the keys that sign them."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.gateway.server import assembled
from edge.gateway.tokens.signing import PUBLISHED_AFTER, PUBLISHED_BEFORE
from services.runtime.errors import ResourceMissing, Unauthenticated
from tests.edge.gateway.stage import Stage, gateway_settings
from tests.interview.databases import Postgres


def unverified(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_a_token_says_who_calls_for_a_quarter_of_an_hour(on: Stage) -> None:
    made = await on.member()
    claims = unverified(made.access_token)
    assert claims.pop("exp") - claims.pop("iat") == 900
    assert len(claims.pop("jti")) == 32
    session = claims.pop("sid")
    assert claims == {
        "iss": "viva",
        "aud": "viva-edge",
        "sub": made.account.id,
        "kind": "member",
        "plan": "free",
    }
    assert on.gateway.tokens.read(made.access_token).session_id == session
    on.clock.advance(minutes=15)
    with pytest.raises(Unauthenticated, match="expired"):
        on.gateway.tokens.read(made.access_token)


def _by_a_secret(claims: dict[str, Any], key_id: str, public: ec.EllipticCurvePublicKey) -> str:
    """A token whose secret is what everybody knows; the library refuses to make one."""
    secret = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def part(content: bytes) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", "kid": key_id}
    signed = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
    return (signed + b"." + part(hmac.digest(secret, signed, "sha256"))).decode()


async def test_a_token_of_anybody_elses_is_none(on: Stage) -> None:
    made = await on.member()
    claims, key = unverified(made.access_token), on.gateway.keys.signing
    foreign = ec.generate_private_key(ec.SECP256R1())
    public = key.private.public_key()
    named = {"kid": key.id}
    forged = [
        jwt.encode(claims, "", algorithm="none", headers=named),
        jwt.encode(claims, foreign, algorithm="ES256", headers=named),
        jwt.encode(claims, key.private, algorithm="ES256"),
        jwt.encode({**claims, "aud": "others"}, key.private, algorithm="ES256", headers=named),
        jwt.encode({**claims, "iss": "others"}, key.private, algorithm="ES256", headers=named),
        jwt.encode({**claims, "kind": "king"}, key.private, algorithm="ES256", headers=named),
        jwt.encode(
            {name: value for name, value in claims.items() if name != "sid"},
            key.private,
            algorithm="ES256",
            headers=named,
        ),
        # The public key, which everybody has, taken for a secret one.
        _by_a_secret(claims, key.id, public),
        "not.a.token",
        "",
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            on.gateway.tokens.read(token)


async def _published(on: Stage) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{on.gateway.jwks_port}"
        assert (await client.get(f"{url}/other")).status_code == 404
        answer = await client.get(f"{url}/.well-known/jwks.json")
    assert answer.status_code == 200
    return {key["kid"]: key for key in answer.json()["keys"]}


async def test_the_keys_are_published_and_verify_what_was_signed(on: Stage) -> None:
    token = (await on.member()).access_token
    key = (await _published(on))[jwt.get_unverified_header(token)["kid"]]
    assert "d" not in key  # The private half.
    claims = jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["ES256"],
        audience="viva-edge",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == "viva"


async def test_a_key_is_known_before_it_signs_and_as_long_as_what_it_signed(on: Stage) -> None:
    keys = on.gateway.keys
    first = keys.signing.id
    on.clock.advance(days=30)
    old = (await on.member()).access_token
    await keys.load()
    assert keys.signing.id == first
    [second] = set(await _published(on)) - {first}
    on.clock.moment += PUBLISHED_BEFORE
    assert keys.signing.id == second
    new = (await on.log_in()).access_token
    await keys.load()
    assert set(await _published(on)) == {first, second}
    on.gateway.tokens.read(new)
    assert jwt.get_unverified_header(old)["kid"] == first
    on.clock.moment += PUBLISHED_AFTER
    await keys.load()
    assert set(await _published(on)) == {second}
    assert len(await on.rows("SELECT FROM account.signing_key")) == 1


async def test_a_key_is_readable_with_the_gateways_own_key_alone(
    on: Stage, postgres: Postgres, tmp_path: Path
) -> None:
    file = tmp_path / "gateway" / "signing.key"
    assert file.stat().st_mode & 0o777 == 0o600
    [row] = await on.rows("SELECT sealed FROM account.signing_key")
    assert b"\x2a\x86\x48\xce\x3d" not in row["sealed"]  # How an elliptic-curve key begins.
    other = gateway_settings(postgres, tmp_path / "other")
    with pytest.raises(ResourceMissing, match="sealed under another key"):
        async with assembled(other, clock=on.clock):
            pass


async def test_two_gateways_have_the_same_keys(
    on: Stage, postgres: Postgres, tmp_path: Path
) -> None:
    token = (await on.member()).access_token
    settings = gateway_settings(postgres, tmp_path, jwks_port=on.gateway.jwks_port)
    # And publish them at one place, so that one can replace the other.
    async with assembled(settings, clock=on.clock) as other:
        assert other.jwks_port == on.gateway.jwks_port
        assert other.tokens.read(token) == on.gateway.tokens.read(token)
    assert await _published(on)
