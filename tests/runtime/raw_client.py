"""A client that sends what no gRPC library would: calls without a message, or with half of one."""

from __future__ import annotations

import asyncio

import h2.config
import h2.connection
import h2.events

from tests.server_process import GUARD_SECONDS

Headers = dict[str, str]


def frame(message: bytes, length: int | None = None) -> bytes:
    """A message as gRPC frames it; `length` is what its prefix claims."""
    return b"\0" + (len(message) if length is None else length).to_bytes(4) + message


async def call(address: str, method: str, body: bytes, *, ended: bool = True) -> Headers:
    """Sends a call and returns the trailers of its answer.

    Args:
        address: "host:port".
        method: "/package.Service/Method".
        body: The bytes of the request's stream.
        ended: Whether the stream is closed after them, or left open.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            return await _exchange(reader, writer, method, body, ended=ended)
    finally:
        writer.close()
        await writer.wait_closed()


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    body: bytes,
    *,
    ended: bool,
) -> Headers:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ],
    )
    connection.send_data(stream, body, end_stream=ended)
    headers: Headers = {}
    while True:
        writer.write(connection.data_to_send())
        await writer.drain()
        received = await reader.read(65536)
        if not received:
            return headers
        for event in connection.receive_data(received):
            match event:
                case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                    headers |= {str(name): str(value) for name, value in event.headers}
                    if "grpc-status" in headers:
                        return headers
                case h2.events.StreamReset():
                    return headers | {"reset": str(event.error_code)}
                case h2.events.DataReceived():
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                case _:
                    pass
