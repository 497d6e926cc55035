"""The bytes of docs/websocket-transport.md are what goes over the wire."""

from __future__ import annotations

import re
from pathlib import Path

from viva.interview.v1 import interview_service_pb2 as contract

from edge.gateway.bridge.closing import Close
from edge.gateway.bridge.frames import HEADERS, frame
from edge.gateway.bridge.headers import read_block, trailers, write_block
from tests.edge.gateway.bridge.client import HALF_CLOSE, data, frames, headers

PAGE = (Path(__file__).parents[4] / "docs" / "websocket-transport.md").read_text()
_BYTES = re.compile(r"(?:[0-9a-f]{2}(?: |$))+")


def messages(example: str) -> list[bytes]:
    """The messages of an example: each ends before what is said of it."""
    found, last = [], b""
    for line in example.splitlines():
        start = _BYTES.match(line)
        if start is not None:
            last += bytes.fromhex(start.group())
        if last and (start is None or start.end() < len(line)):
            found.append(last)
            last = b""
    return found


def test_the_worked_example() -> None:
    client, server = re.findall(r"```\n([0-9a-f].*?)```", PAGE, re.DOTALL)
    hello, request, end = messages(client)
    assert read_block(hello, max_headers=1, max_bytes=99) == {"authorization": "Bearer x.y.z"}
    asked = contract.GetInterviewRequest(interview_id="one")
    assert request == data(asked.SerializeToString())
    assert end == HALF_CLOSE
    first, answer, last = messages(server)
    assert first == frame(HEADERS, write_block([("content-type", "application/grpc-web+proto")]))
    [(flags, message)] = frames(answer)
    assert flags == 0
    assert contract.GetInterviewResponse.FromString(message).interview.id == "one"
    assert last == frame(HEADERS, trailers(0, ""))
    assert headers(last[5:]) == {"grpc-status": "0"}


def test_every_code_has_a_line() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)}
    # 1008 and 1009 are said by the protocol below.
    assert told == {*Close, 1008, 1009}
