"""TLS at the edge, with a certificate from settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from edge.envoy.extensions import packed
from edge.envoy.settings import EnvoySettings


def downstream_tls(settings: EnvoySettings) -> Any:
    """The edge's transport socket; None where it speaks no TLS."""
    if settings.tls_certificate is None or settings.tls_key is None:
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
                            certificate_chain=_file(settings.tls_certificate),
                            private_key=_file(settings.tls_key),
                        )
                    ],
                )
            )
        ),
    )


def _file(path: Path) -> Any:
    return base_pb2.DataSource(filename=str(path.resolve()))
