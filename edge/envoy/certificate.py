"""A certificate that signs itself, for one machine: browsers give a page the microphone over TLS.

Browsers warn of it once; whoever has a name of his own has a certificate of an authority's too.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.runtime.addresses import bare

CERTIFICATE, KEY = "edge.crt", "edge.key"

# Safari and others take no certificate that is good for more than 825 days.
_LIFE = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)
# The clock of the phone may be slow.
_SLOW_CLOCKS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a certificate and its key are."""

    certificate: Path
    key: Path


def self_signed(folder: Path, names: Iterable[str], now: datetime | None = None) -> Pair:
    """The folder's certificate for these host names and addresses; made where there is none good.

    Raises:
        OSError: It cannot be written.
    """
    moment = now or datetime.now(UTC)
    wanted = sorted({bare(name) for name in (*names, "localhost", "127.0.0.1", "::1")})
    pair = Pair(folder / CERTIFICATE, folder / KEY)
    if not _good(pair, wanted, moment):
        _make(pair, wanted, moment)
    return pair


def _good(pair: Pair, wanted: list[str], now: datetime) -> bool:
    if not pair.key.exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    held = {str(name.value) for name in names}
    return set(wanted) <= held and certificate.not_valid_after_utc - now > _RENEWED_BEFORE


def _make(pair: Pair, names: list[str], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Viva on this machine")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCKS)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pair.key.parent.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pair.key.unlink(missing_ok=True)
    # For its owner alone from the first moment.
    with os.fdopen(os.open(pair.key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(private)
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
