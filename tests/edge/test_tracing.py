"""One trace from the client's span through Envoy to the model's batch, over plain text and TLS."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import trustme

from services.runtime.channel import open_channel
from tests.edge.backend import envoy
from tests.runtime.collector import Collector, Span
from tests.runtime.demo import NAMES_OF_SHAPES, call_every_shape, demo, until_serving
from tests.runtime.demo_server import SHAPES
from tests.runtime.raw_client import call, frame
from tests.server_process import free_port

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = "b7ad6b7169203331"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_calls_of_every_shape_leave_one_trace(tmp_path: Path, scheme: str) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    certificate = authority.issue_cert("127.0.0.1")
    credentials = grpc.ssl_server_credentials(
        [
            (
                certificate.private_key_pem.bytes(),
                b"".join(part.bytes() for part in certificate.cert_chain_pems),
            )
        ]
    )
    port = free_port()
    async with Collector().listening(credentials if scheme == "https" else None) as collector:
        url = f"{scheme}://127.0.0.1:{collector.port}"
        async with (
            demo(
                VIVA_DEMO_PORT=str(port),
                VIVA_OTLP_ENDPOINT=url,
                OTEL_EXPORTER_OTLP_CERTIFICATE=str(bundle),
            ),
            open_channel(f"127.0.0.1:{port}") as direct,
            envoy(
                tmp_path,
                {"tts": [port], "embed": [port]},
                otlp_endpoint=url,
                otlp_certificate=bundle,
            ) as mesh,
            open_channel(mesh.address) as channel,
        ):
            await until_serving(direct)
            await mesh.until_healthy(SHAPES, port)
            # A request id may be any text of the caller's.
            sent = (("traceparent", f"00-{TRACE}-{CLIENT}-01"), ("x-request-id", "mine"))
            await call_every_shape(channel, sent)
            await collector.until(lambda: len(collector.served(TRACE)) == 7)
            await collector.until(
                lambda: all(collector.way_up(s)[-1] == CLIENT for s in collector.served(TRACE))
            )
    for span in collector.served(TRACE):
        assert span.name in NAMES_OF_SHAPES
        *proxies, client = collector.way_up(span)
        assert {each.service for each in proxies if isinstance(each, Span)} == {"envoy"}
        assert len(proxies) == 1
        assert client == CLIENT


async def test_faulty_requests_are_answered_through_envoy(tmp_path: Path) -> None:
    port = free_port()
    async with (
        demo(VIVA_DEMO_PORT=str(port), VIVA_DEMO_RECEIVE_SECONDS="0.5"),
        envoy(tmp_path, {"tts": [port]}) as mesh,
    ):
        await mesh.until_healthy(SHAPES, port)
        half = frame(b"\x0a\x03he", length=100)
        for body, ended, status in ((b"", True, "3"), (half, True, "3"), (half, False, "4")):
            headers = await call(mesh.address, f"/{SHAPES}/OneOne", body, ended=ended)
            assert headers["grpc-status"] == status
        headers = await call(mesh.address, f"/{SHAPES}/OneOne", frame(b"\x0a\xff"))
        assert (headers["grpc-status"], headers["grpc-message"]) == (
            "3",
            "the message cannot be decoded",
        )
