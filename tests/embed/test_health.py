"""The embedding server's health follows its engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.embed.engines.ctranslate2 import CTranslate2Encoder
from services.embed.server import SERVICE, build
from services.embed.settings import EmbedSettings
from tests.engine_faults import Fault, fails_and_comes_back, served


async def test_an_encoder_that_fails_is_out_of_service_until_it_works(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    fault = Fault()
    fault.into(monkeypatch, CTranslate2Encoder, "encode")
    settings = EmbedSettings(port=0, data_dir=data_dir, lame_duck_seconds=0)
    async with served(settings, SERVICE, lambda: build(settings)) as (channel, until_status):
        stub = embed_pb2_grpc.EmbedServiceStub(channel)

        async def call() -> None:
            await stub.Embed(embed_pb2.EmbedRequest(inputs=["hello"]), timeout=10)

        await fails_and_comes_back(fault, call, until_status)
