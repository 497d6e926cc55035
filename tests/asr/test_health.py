"""The recognition server's health follows its engine."""

from __future__ import annotations

import pytest
from viva.asr.v1 import asr_pb2, asr_pb2_grpc

from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.server import SERVICE, build
from services.asr.settings import AsrSettings
from tests.engine_faults import Fault, fails_and_comes_back, served
from tests.recordings import librivox


@pytest.mark.slow
async def test_a_recognizer_that_fails_is_out_of_service_until_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = Fault()
    fault.into(monkeypatch, WhisperCTranslate2, "decode")
    settings = AsrSettings(port=0, lame_duck_seconds=0)
    recording = librivox()[4].path.read_bytes()
    async with served(settings, SERVICE, lambda: build(settings)) as (channel, until_status):
        stub = asr_pb2_grpc.AsrServiceStub(channel)

        async def call() -> None:
            await stub.Recognize(asr_pb2.RecognizeRequest(audio=recording), timeout=60)

        await fails_and_comes_back(fault, call, until_status)
