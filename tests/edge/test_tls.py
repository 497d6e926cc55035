"""TLS at the edge, with a certificate that signs itself."""

from __future__ import annotations

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from pydantic import ValidationError

from edge.envoy.bootstrap import write
from edge.envoy.certificate import CERTIFICATE, KEY, self_signed
from edge.envoy.settings import EnvoySettings
from edge.envoy.tls import BadCertificate
from tests.edge.backend import Backend, envoy

PERSONAS = "viva.interview.v1.PersonaService"
MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


def names(certificate: Path) -> set[str]:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_a_certificate_is_for_every_name_and_its_key_for_its_owner(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, ["viva.local", "192.168.1.7", "[fe80::1]"], MOMENT)
    assert names(pair.certificate) >= {"viva.local", "192.168.1.7", "fe80::1", "localhost"}
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600


def test_a_good_certificate_stays_so_that_a_browser_is_asked_once(tmp_path: Path) -> None:
    before = self_signed(tmp_path, ["localhost"], MOMENT).certificate.read_bytes()
    later = self_signed(tmp_path, ["localhost"], MOMENT + timedelta(days=100))
    assert later.certificate.read_bytes() == before


@pytest.mark.parametrize(
    ("hosts", "days"), [(["localhost", "new.local"], 1), (["localhost"], 340), (["localhost"], 900)]
)
def test_one_that_lacks_a_name_or_ends_soon_is_made_anew(
    tmp_path: Path, hosts: list[str], days: int
) -> None:
    before = self_signed(tmp_path, ["localhost"], MOMENT).certificate.read_bytes()
    after = self_signed(tmp_path, hosts, MOMENT + timedelta(days=days))
    assert after.certificate.read_bytes() != before
    assert stat.S_IMODE(after.key.stat().st_mode) == 0o600


async def test_the_edge_speaks_tls_and_nothing_else(tmp_path: Path) -> None:
    backend = Backend()
    async with backend.serving(), envoy(tmp_path, backend.port, tls_self_signed=True) as mesh:
        await mesh.until_healthy(PERSONAS, backend.port)
        address = f"localhost:{mesh.settings.edge_port}"
        trusted = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
        async with httpx.AsyncClient(verify=trusted) as client:
            answer = await client.get(f"https://{address}/v1/personas")
            assert answer.status_code == 200
            own = {"origin": f"https://{address}"}
            assert (await client.get(f"https://{address}/v1/personas", headers=own)).is_success
            plain = {"origin": f"http://{address}"}
            refused = await client.get(f"https://{address}/v1/personas", headers=plain)
            assert refused.status_code == 403
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://{address}/v1/personas")
    assert backend.metadata[0]["x-forwarded-proto"] == "https"
    assert (tmp_path / KEY).exists()


async def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    given, new = tmp_path / "given", tmp_path / "new"
    self_signed(given, ["localhost"])
    before = (given / CERTIFICATE).read_text()
    async with envoy(
        tmp_path, {}, tls_certificate=given / CERTIFICATE, tls_key=given / KEY
    ) as mesh:

        async def shown() -> bytes:
            address = ("localhost", mesh.settings.edge_port)
            return der(await asyncio.to_thread(ssl.get_server_certificate, address, timeout=10.0))

        assert await shown() == der(before)
        # A certificate whose key is still on its way is not served, and takes nothing down.
        after = self_signed(new, ["localhost"]).certificate.read_text()
        (new / CERTIFICATE).replace(given / CERTIFICATE)
        assert await shown() == der(before)
        (new / KEY).replace(given / KEY)
        async with asyncio.timeout(20.0):
            while await shown() != der(after):  # noqa: ASYNC110 - no event comes
                await asyncio.sleep(0.05)


def der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


def test_a_pair_that_does_not_fit_is_named(tmp_path: Path) -> None:
    one = self_signed(tmp_path / "one", ["localhost"])
    other = self_signed(tmp_path / "other", ["localhost"])
    for key, why in ((other.key, "KEY_VALUES_MISMATCH|mismatch"), (tmp_path / "none", "No such")):
        settings = EnvoySettings(tls_certificate=one.certificate, tls_key=key)
        with pytest.raises(BadCertificate, match=f"VIVA_ENVOY_TLS_KEY.*({why})"):
            write(settings, tmp_path / "out")


def test_an_edge_with_tls_may_be_reached_by_others() -> None:
    settings = EnvoySettings(edge_host="0.0.0.0", tls_self_signed=True)
    assert not settings.exposed
    with pytest.raises(ValidationError, match="VIVA_ENVOY_EDGE_HOST"):
        EnvoySettings(edge_host="0.0.0.0")
    with pytest.raises(ValidationError, match="VIVA_ENVOY_BRIDGE_HOST"):
        EnvoySettings(bridge_host="0.0.0.0", tls_self_signed=True)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="TLS_KEY"):
        EnvoySettings(tls_certificate=tmp_path / "a.crt")
    with pytest.raises(ValidationError, match="SELF_SIGNED"):
        EnvoySettings(tls_certificate=tmp_path / "a", tls_key=tmp_path / "b", tls_self_signed=True)
