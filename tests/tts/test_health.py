"""The speech server's health follows its engines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.tts.engines.piper import PiperSynthesizer
from services.tts.server import NAME, build
from services.tts.settings import TtsSettings
from tests.engine_faults import Fault, fails_and_comes_back, served


@pytest.mark.slow
async def test_a_synthesizer_that_fails_is_out_of_service_until_it_works(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    fault = Fault()
    fault.into(monkeypatch, PiperSynthesizer, "synthesize")
    settings = TtsSettings(port=0, data_dir=data_dir, engines=("piper",), lame_duck_seconds=0)
    async with served(settings, NAME, partial(build, settings)) as (channel, until_status):
        stub = tts_pb2_grpc.TtsServiceStub(channel)

        async def call() -> None:
            request = tts_pb2.SynthesizeRequest(text="Hello there.")
            async for _ in stub.Synthesize(request, timeout=30):
                pass

        await fails_and_comes_back(fault, call, until_status)
