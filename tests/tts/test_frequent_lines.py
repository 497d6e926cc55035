"""Lines that are said often: made ahead for what is in use, and there after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.errors import ResourceMissing
from services.runtime.server import Service, serving
from services.tts.cache import SpeechCache
from services.tts.engines.piper import PiperSynthesizer
from services.tts.frequent_lines import FrequentLines, read_lines
from services.tts.normalization import normalize
from services.tts.segment import Urgency
from services.tts.server import NAME, build
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker, SpeechOptions
from services.tts.speech import Synthesizer
from services.tts.styles import Style
from services.tts.voices import VoiceBook
from services.tts.voices_in_use import Use, VoicesInUse
from tests.tts.calls import Heard, Stub, one
from tests.tts.standin import Tones

pytestmark = pytest.mark.slow

LINES = ("Welcome to your interview. Take your time.", "你好。", "Thank you.")
STYLES = (tts_pb2.STYLE_NEUTRAL, tts_pb2.STYLE_WELCOMING, tts_pb2.STYLE_THANKFUL)


@asynccontextmanager
async def running(
    engine: Synthesizer, default: str, folder: Path, memory: int = 10_000_000
) -> AsyncIterator[tuple[Stub, FrequentLines]]:
    """The servicer with everything it remembers in a folder."""
    book = VoiceBook([engine], default)
    in_use = VoicesInUse(folder / "voices-in-use.json")
    async with Speaker(
        book, [engine], SpeechCache(memory, folder / "lines"), {}, in_use=in_use
    ) as speaker:
        ahead = FrequentLines(speaker, LINES, in_use, quiet=0)
        servicer = TtsServicer(speaker, [engine], Urgency())

        @asynccontextmanager
        async def services() -> AsyncIterator[Sequence[Service]]:
            add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, add)]

        settings = TtsSettings(port=0, data_dir=folder, lame_duck_seconds=0, drain_seconds=1)
        task = asyncio.create_task(ahead.run())
        try:
            async with (
                serving(settings, "tts", services) as server,
                grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
            ):
                yield Stub(channel), ahead
        finally:
            task.cancel()
            await asyncio.wait([task])


async def say(stub: Stub, line: str, voice: str, style: tts_pb2.Style.ValueType) -> Heard:
    config = tts_pb2.SpeechConfig(voice=voice, style=style)
    return await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line, config=config)))


def from_cache(heard: Heard) -> bool:
    assert heard.done is not None
    return bool(heard.chunks) and not heard.done.stats.HasField("batch_size")


@pytest.mark.parametrize("memory", [10_000_000, 0], ids=["in memory", "on disk alone"])
async def test_every_voice_and_style_in_use_has_its_lines_after_a_restart(
    tmp_path: Path, memory: int
) -> None:
    uses = [(voice, style) for voice in ("alto", "bass") for style in STYLES]
    async with running(Tones(), "alto", tmp_path, memory) as (stub, ahead):
        for voice, style in uses:
            # Any line tells that the voice is in use.
            await say(stub, f"Something else, {voice}.", voice, style)
        await ahead.settled()

    tones = Tones()
    async with running(tones, "alto", tmp_path, memory) as (stub, ahead):
        heard = [
            await say(stub, line, voice, style)
            for voice, style in uses
            for line in (LINES[0], LINES[2])
        ]
        await ahead.settled()

    assert all(map(from_cache, heard))
    assert tones.requests == []


async def test_the_packaged_voice_hits_after_a_restart(
    joe: PiperSynthesizer, tmp_path: Path
) -> None:
    async with running(joe, "joe", tmp_path) as (stub, ahead):
        await say(stub, "Something else.", "joe", tts_pb2.STYLE_WELCOMING)
        await ahead.settled()
        first = await say(stub, LINES[0], "joe", tts_pb2.STYLE_WELCOMING)

    async with running(joe, "joe", tmp_path) as (stub, ahead):
        again = await say(stub, LINES[0], "joe", tts_pb2.STYLE_WELCOMING)

    assert from_cache(first)
    assert from_cache(again)
    assert again.audio == first.audio


async def test_what_callers_say_is_not_kept(tmp_path: Path) -> None:
    async with running(Tones(), "alto", tmp_path) as (stub, ahead):
        await say(stub, "My name is a secret.", "bass", tts_pb2.STYLE_NEUTRAL)
        await ahead.settled()

    tones = Tones()
    async with running(tones, "alto", tmp_path) as (stub, _):
        heard = await say(stub, "My name is a secret.", "bass", tts_pb2.STYLE_NEUTRAL)

    assert not from_cache(heard)
    assert len(tones.requests) == 1


async def test_lines_are_made_when_nobody_is_waiting(tmp_path: Path) -> None:
    tones = Tones()
    book = VoiceBook([tones], "alto")
    async with Speaker(book, [tones], SpeechCache(0, tmp_path), {}) as speaker:
        live, ahead = (normalize(line) for line in ("A live line.", "A line made ahead."))
        assert live is not None
        assert ahead is not None
        voice = book.default
        await speaker.speak(live, voice, SpeechOptions())
        # For as long as this has not passed, it waits.
        making = asyncio.create_task(speaker.keep(ahead, voice, SpeechOptions(), quiet=60))
        await speaker.speak(live, voice, SpeechOptions(seed=1))

        assert len(tones.requests) == 2
        making.cancel()
        await asyncio.wait([making])


def test_the_uses_are_remembered_and_bounded(tmp_path: Path) -> None:
    in_use = VoicesInUse()
    for number in range(100):
        in_use.note(Use(f"voice-{number}", Style.CALM))
    in_use.note(Use("voice-90", Style.CALM))

    assert len(in_use.all()) == 24
    assert in_use.all()[:2] == [Use("voice-90", Style.CALM), Use("voice-99", Style.CALM)]


@pytest.mark.parametrize("content", ["", "[1]", '[["alto", "furious"]]', "{}"])
def test_a_damaged_memory_of_uses_is_forgotten(tmp_path: Path, content: str) -> None:
    file = tmp_path / "voices-in-use.json"
    file.write_text(content)

    assert VoicesInUse(file).all() == []


def test_the_packaged_lines_can_be_read() -> None:
    assert all(normalize(line) for line in read_lines(TtsSettings().frequent_lines))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"], ids=["absent", "no text"])
async def test_frequent_lines_that_cannot_be_read_stop_the_start(
    content: bytes | None, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.txt"
    if content is not None:
        lines.write_bytes(content)
    settings = TtsSettings(data_dir=tmp_path, engines=("piper",), frequent_lines=lines)

    with pytest.raises(ResourceMissing, match="VIVA_TTS_FREQUENT_LINES"):
        async with build(settings):
            pass
