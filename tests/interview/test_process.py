"""The interview server as a process."""

from __future__ import annotations

import socket

import pytest

from tests.server_process import failed_start


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["PORT", "METRICS_PORT"])
async def test_a_port_in_use_is_one_line(variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"STORE": "memory", variable: str(port)}
        said = await failed_start("interview", **settings)
    assert f"viva interview: 127.0.0.1:{port} cannot be listened on; " in said
    assert "Traceback" not in said
