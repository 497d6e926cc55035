"""IPv6 addresses: in brackets where a port follows, bare where a socket is opened."""

from __future__ import annotations

from typing import Any

import prometheus_client
import pytest

from services.runtime.addresses import authority
from services.runtime.errors import ResourceMissing
from services.runtime.listening import require_allowed
from services.runtime.metrics_page import metrics_page


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("127.0.0.1", "127.0.0.1:50051"),
        ("model.internal", "model.internal:50051"),
        ("::1", "[::1]:50051"),
        ("[::1]", "[::1]:50051"),
        ("fe80::1%eth0", "[fe80::1%eth0]:50051"),
    ],
)
def test_a_host_and_a_port_are_written_as_one(host: str, written: str) -> None:
    assert authority(host, 50051) == written


def test_an_open_listener_is_named_with_brackets() -> None:
    with pytest.raises(ResourceMissing, match=r"reach \[2001:db8::1\]:50051 \(calls\)"):
        require_allowed("calls", "2001:db8::1", 50051, allow_insecure=False)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_a_taken_metrics_port_is_named_with_brackets(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def taken(port: int, addr: str) -> None:
        opened.append((addr, port))
        raise OSError

    monkeypatch.setattr(prometheus_client, "start_http_server", taken)
    with (
        pytest.raises(ResourceMissing, match=r"^\[::1\]:50051 "),
        metrics_page(host, 50051, allow_insecure=False),
    ):
        pass
    assert opened == [("::1", 50051)]
