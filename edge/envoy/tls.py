"""TLS at the edge, with a certificate from settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from edge.envoy.certificate import CERTIFICATE, KEY, Pair
from edge.envoy.extensions import packed
from edge.envoy.settings import EnvoySettings


def certificate(settings: EnvoySettings, folder: Path) -> Pair | None:
    """The edge's certificate: given, or its own in `folder`; None where it speaks no TLS."""
    if settings.tls_self_signed:
        return Pair(folder / CERTIFICATE, folder / KEY)
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Pair(settings.tls_certificate, settings.tls_key)


def downstream_tls(pair: Pair | None) -> Any:
    """The transport socket of a listener with a certificate; None without one."""
    if pair is None:
        return None
    parameters = common_pb2.TlsParameters
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=packed(
            tls_pb2.DownstreamTlsContext(
                common_tls_context=tls_pb2.CommonTlsContext(
                    alpn_protocols=["h2", "http/1.1"],
                    tls_params=parameters(tls_minimum_protocol_version=parameters.TLSv1_2),
                    tls_certificates=[
                        common_pb2.TlsCertificate(
                            certificate_chain=_file(pair.certificate),
                            private_key=_file(pair.key),
                        )
                    ],
                )
            )
        ),
    )


def _file(path: Path) -> Any:
    return base_pb2.DataSource(filename=str(path.resolve()))
