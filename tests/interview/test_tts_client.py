"""The interview's synthesiser, over the wire to the real servicer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
from viva.tts.v1 import tts_pb2_grpc

from services.interview.clients.seams import DependencyFailed, VoiceConfig
from services.interview.clients.tts import TtsClient
from services.interview.events import AudioFormat
from services.interview.record import Phase
from services.runtime.server import Service, serving
from services.tts.cache import SpeechCache
from services.tts.segment import Urgency
from services.tts.server import NAME
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker
from services.tts.voices import VoiceBook
from tests.tts.standin import Tones


async def test_a_line_that_cannot_be_spoken_is_a_failure_of_the_synthesiser(
    tmp_path: Path,
) -> None:
    tones = Tones()

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        async with Speaker(VoiceBook([tones], "alto"), [tones], SpeechCache(0), {}) as speaker:
            servicer = TtsServicer(speaker, [tones], Urgency())
            add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, add)]

    settings = TtsSettings(port=0, data_dir=tmp_path, drain_seconds=0, grace_seconds=1)
    config = VoiceConfig("en-US", None, Phase.OPENING, AudioFormat())
    async with (
        serving(settings, "tts", build) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        client = TtsClient(channel)
        spoken = [piece async for piece in client.speak("All is well.", config)]
        with pytest.raises(DependencyFailed, match="INTERNAL"):
            async for _ in client.speak("It is broken.", config):
                pass

    assert b"".join(piece.audio for piece in spoken)
