"""TLS at the edge, with a certificate from settings that may be renewed while Envoy runs.

Envoy reads the pair through a file that names it (a `DiscoveryResponse` with one `Secret`), and
again whenever something is renamed into the certificate's folder. A pair that does not fit is
left; the one before is served on.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2

from edge.envoy import discovery
from edge.envoy.certificate import CERTIFICATE, KEY, Pair
from edge.envoy.extensions import packed
from edge.envoy.settings import EnvoySettings

PAIR = "certificate.json"
_NAME = "edge"


class BadCertificate(ValueError):
    """A certificate and a key that cannot be used; the message names them and their settings."""


def certificate(settings: EnvoySettings, folder: Path) -> Pair | None:
    """The edge's certificate: given, or its own in `folder`; None where it speaks no TLS."""
    if settings.tls_self_signed:
        return Pair(folder / CERTIFICATE, folder / KEY)
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Pair(settings.tls_certificate, settings.tls_key)


def publish(pair: Pair, folder: Path) -> None:
    """Writes the file that names the pair into `folder`.

    Raises:
        BadCertificate: The pair cannot be used.
        OSError: The file cannot be written.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)
    except OSError as error:  # an SSLError, too
        why = error.strerror or str(error)
        raise BadCertificate(
            f"the certificate {pair.certificate} (VIVA_ENVOY_TLS_CERTIFICATE) and the key"
            f" {pair.key} (VIVA_ENVOY_TLS_KEY) cannot be used: {why}"
        ) from None
    secret = secret_pb2.Secret(
        name=_NAME,
        tls_certificate=common_pb2.TlsCertificate(
            certificate_chain=_file(pair.certificate),
            private_key=_file(pair.key),
            watched_directory=base_pb2.WatchedDirectory(
                path=str(pair.certificate.absolute().parent)
            ),
        ),
    )
    discovery.write(folder / PAIR, secret)


def downstream_tls(settings: EnvoySettings, folder: Path) -> Any:
    """The transport socket of a listener with the certificate; None without one."""
    if certificate(settings, folder) is None:
        return None
    parameters = common_pb2.TlsParameters
    source = config_source_pb2.PathConfigSource(path=str((folder / PAIR).absolute()))
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=packed(
            tls_pb2.DownstreamTlsContext(
                common_tls_context=tls_pb2.CommonTlsContext(
                    alpn_protocols=["h2", "http/1.1"],
                    tls_params=parameters(tls_minimum_protocol_version=parameters.TLSv1_2),
                    tls_certificate_sds_secret_configs=[
                        secret_pb2.SdsSecretConfig(
                            name=_NAME,
                            sds_config=config_source_pb2.ConfigSource(
                                path_config_source=source,
                                resource_api_version=config_source_pb2.V3,
                            ),
                        )
                    ],
                )
            )
        ),
    )


def _file(path: Path) -> Any:
    # Not resolved: links are how a pair is replaced at once, as Kubernetes does it.
    return base_pb2.DataSource(filename=str(path.absolute()))
