"""Bytes that are no proper request, bodies that never come, readers that do not read."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.edge.stand_in_bridge import read_head
from tests.security.door import INTERVIEWS, Door, door

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = f"/{INTERVIEWS}/GetInterview"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    settings = {"edge_request_seconds": 0.5, "edge_stream_seconds": 1.5}
    async with door(tmp_path_factory.mktemp("wire"), **settings) as found:
        yield found


async def _raw(site: Door, head: str, body: bytes = b"") -> tuple[int, dict[str, str]]:
    """The answer to bytes as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.mesh.settings.edge_port)
    try:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        first, headers = await read_head(reader)
        return int(first.split()[1]), headers
    finally:
        writer.close()


async def test_a_body_that_never_comes_is_not_waited_for_long(site: Door) -> None:
    bearer = site.gateway.bearer()["authorization"]
    status, _ = await _raw(
        site,
        "POST /v1/interviews HTTP/1.1\nhost: localhost\ncontent-type: application/json\n"
        f"authorization: {bearer}\ncontent-length: 100\n",
        b'{"settings": ',
    )
    assert status == 408
    assert not site.arrived


async def test_nobodys_body_is_read_who_may_not_call(site: Door) -> None:
    status, _ = await _raw(
        site,
        "POST /v1/interviews HTTP/1.1\nhost: localhost\ncontent-type: application/json\n"
        "content-length: 8000000\n",
    )
    assert status == 401


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.0\nhost: localhost\n",
        "GET /v1/personas HTTP/1.1\nhost: localhost\nhost: mallory.test\n",
        (
            "POST /v1/interviews HTTP/1.1\nhost: localhost\ncontent-length: 5\n"
            "transfer-encoding: chunked\n"
        ),
        "POST /v1/interviews HTTP/1.1\nhost: localhost\ncontent-length: -1\n",
        "POST /v1/interviews HTTP/1.1\nhost: localhost\ncontent-length: 1\ncontent-length: 2\n",
        "GET /v1/personas HTTP/1.1\nhost: localhost\nx: a\0b\n",
        "BREW /v1/personas HTTP/1.1\nhost: localhost\n",
        "GET /v1/personas HTTP/1.1\nhost: localhost\n" + "x-a: b\n" * 200,
        "\x16\x03\x01\x02\x00\x01\x00\x01\n",
    ],
)
async def test_what_is_no_proper_request_is_refused(site: Door, head: str) -> None:
    status, _ = await _raw(site, head)
    assert 400 <= status < 500
    assert not site.arrived
    assert not site.bridge.requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        struct.pack(">BI", 0, 1_000) + b"x",
        struct.pack(">BI", 0, 0xFFFFFFFF),
        struct.pack(">BI", 0, 3) + b"\xff\xff\xff",
        struct.pack(">BI", 1, 3) + b"\xff\xff\xff",
        struct.pack(">BI", 0x7F, 0),
        b"\0\0\0\0\0" * 1_000,
    ],
)
async def test_malformed_frames_end_in_an_error_and_nothing_else(site: Door, body: bytes) -> None:
    bearer = site.gateway.bearer()
    for content_type in ("application/grpc-web+proto", "application/grpc-web-text"):
        answer = await site.client.post(
            READ, content=body, headers={"content-type": content_type, **bearer}
        )
        told = answer.headers.get("grpc-status") or "in the body"
        assert answer.status_code in {200, 400}
        assert told != "0" or body == b""
    assert (await site.client.get("/v1/personas")).status_code == 200


async def test_who_reads_nothing_does_not_fill_envoys_memory(site: Door) -> None:
    """A reader that stops is given what fits the buffers, and the server behind is held back."""
    port = site.mesh.settings.edge_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = (
            f"GET /{INTERVIEWS}/Converse HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
            "connection: upgrade\r\nsec-websocket-key: c2l4dGVlbiBieXRlcyBvaw==\r\n"
            "sec-websocket-version: 13\r\n\r\n"
        )
        writer.write(request.encode())
        await read_head(reader)
        sent = 0
        with pytest.raises((ConnectionError, asyncio.TimeoutError)):
            async with asyncio.timeout(10):
                while sent < 1 << 30:
                    writer.write(b"x" * 65_536)
                    await writer.drain()
                    sent += 65_536
        assert sent < 64 << 20
    finally:
        writer.close()
