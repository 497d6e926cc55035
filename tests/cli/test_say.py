"""`viva say`, against the real servicer with an engine that costs nothing."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import time
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.commands.speech import _say
from services.cli.wav_file import with_length
from services.runtime.audio.encoding import wav_header
from services.runtime.server import Service, serving
from services.tts.cache import SpeechCache
from services.tts.segment import Urgency
from services.tts.server import NAME
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker
from services.tts.speech import Speech, SpeechRequest
from services.tts.voices import VoiceBook
from tests.tts.standin import RATE, Tones

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def tones() -> Tones:
    return Tones()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with server(tones, tmp_path_factory.mktemp("viva"), Urgency()) as running:
        yield running


@asynccontextmanager
async def server(tones: Tones, folder: Path, urgency: Urgency) -> AsyncIterator[str]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        async with Speaker(VoiceBook([tones], "alto"), [tones], SpeechCache(0), {}) as speaker:
            servicer = TtsServicer(speaker, [tones], urgency)
            add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, add)]

    settings = TtsSettings(port=0, data_dir=folder, lame_duck_seconds=0, drain_seconds=1)
    async with serving(settings, "tts", build) as running:
        yield f"127.0.0.1:{running.port}"


def request(text: str = "One. Two. Three.") -> tts_pb2.SynthesizeRequest:
    wanted = serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_WAV)
    return tts_pb2.SynthesizeRequest(text=text, config=tts_pb2.SpeechConfig(format=wanted))


async def test_a_files_header_tells_its_length(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "said.wav"

    await _say(address, request(), str(file), 30, as_json=True)

    told = json.loads(capsys.readouterr().out)["seconds"]
    # The module reads what the header says, as players do.
    with wave.open(str(file)) as said:
        assert said.getnframes() / said.getframerate() == pytest.approx(told, abs=0.01)
    content = await asyncio.to_thread(file.read_bytes)
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8


async def test_a_file_waits_longer_than_a_listener_would(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = Urgency(first=0.1, later=0.1)
    synthesize = tones.synthesize

    def slow(requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        time.sleep(0.2)
        return synthesize(requests)

    monkeypatch.setattr(tones, "synthesize", slow)
    async with server(tones, tmp_path, prompt) as there:
        await _say(there, request(), str(tmp_path / "said.wav"), 30)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _say(there, request("Four. Five."), "-", 30)
    assert "DEADLINE" in str(refused.value)
    assert (tmp_path / "said.wav").exists()


async def test_a_pipe_gets_the_speech_as_it_comes_with_an_open_length(
    address: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await _say(address, request(), "-", 30)

    piped = capfdbinary.readouterr().out
    assert piped.startswith(wav_header(RATE))
    assert len(soundfile.read(io.BytesIO(with_length(piped)))[0]) > RATE * 0.3


async def test_a_voice_to_imitate_is_sent_once(address: str, tones: Tones, tmp_path: Path) -> None:
    out = io.BytesIO()
    noise = np.random.default_rng(7).normal(0, 0.1, 4 * RATE).astype(np.float32)
    soundfile.write(out, noise, RATE, format="WAV")
    tones.requests.clear()
    first, again = request("Hello."), request("Good bye.")

    for wanted in (first, again):
        await _say(address, wanted, str(tmp_path / "said.wav"), 30, imitated=out.getvalue())

    assert first.config.reference_voice.WhichOneof("source") == "audio"
    assert again.config.reference_voice.WhichOneof("source") == "digest"
    assert all(request.reference is not None for request in tones.requests)


async def test_lengths_are_filled_in_behind_other_chunks() -> None:
    samples = b"\1\0" * 100
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    head = wav_header(8_000)
    streamed = head[:12] + extra + head[12:] + samples

    with wave.open(io.BytesIO(with_length(streamed))) as read:
        assert read.getnframes() == 100
    assert with_length(b"ID3 something else") == b"ID3 something else"
