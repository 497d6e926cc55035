"""Where the edge that is measured gets the keys of tokens from."""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from edge.gateway.tokens.jwks import serving_keys
from services.cli.bench.edge import keys_address
from services.cli.bench.running import Server
from services.runtime.metrics_page import metrics_page
from tests.server_process import free_ports


class Listening(psutil.Process):
    """This process, whose ports are told in the order of their numbers, or the other way round."""

    falling = False

    def net_connections(self, kind: str = "inet") -> list[Any]:
        told: list[Any] = super().net_connections(kind)
        return sorted(told, key=lambda one: one.laddr.port, reverse=self.falling)


class Here(Server):
    """A server in the process of this test."""

    def process(self) -> psutil.Process:
        return Listening()


@pytest.mark.parametrize("falling", [False, True])
async def test_keys_are_told_from_metrics_which_answer_any_path(
    falling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listening, "falling", falling)
    for_keys, for_metrics = sorted(free_ports(2))
    with metrics_page("127.0.0.1", for_metrics, allow_insecure=False):
        document = {"keys": [{"kid": "one"}]}
        async with serving_keys("127.0.0.1", for_keys, lambda: document, allow_insecure=False):
            gateway = Here("127.0.0.1:1", f"127.0.0.1:{for_metrics}")
            assert await keys_address(gateway) == f"127.0.0.1:{for_keys}"
