"""Segments, urgency and voices, below the wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runtime.audio.encoding import Encoding
from services.runtime.audio.pcm import Float32
from services.runtime.batching import Priority
from services.runtime.errors import (
    DeadlineExpired,
    InvalidField,
    NotFound,
    Overloaded,
    ResourceMissing,
)
from services.tts import segment
from services.tts.cache import SpeechCache
from services.tts.engines.piper import PiperSynthesizer
from services.tts.normalization import normalize
from services.tts.segment import Caller, Chunk, Done, Outcome, Output, Segment
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker, SpeechOptions
from services.tts.speech_stream import SpeechStream
from services.tts.styles import MANNERS, Style
from services.tts.voices import VoiceBook


@pytest_asyncio.fixture
async def speaker(joe: PiperSynthesizer) -> AsyncIterator[Speaker]:
    book = VoiceBook([joe], "joe")
    async with Speaker(book, [joe], SpeechCache(10_000_000), {"joe": 2.0}) as speaker:
        yield speaker


def stream_of(speaker: Speaker, caller: Caller | None = None) -> SpeechStream:
    return SpeechStream(
        lambda name: Segment(name, speaker, SpeechOptions(), Output(), caller or Caller())
    )


@pytest.mark.slow
async def test_a_bounded_number_of_segments_may_wait(speaker: Speaker) -> None:
    stream = stream_of(speaker)

    with pytest.raises(Overloaded):
        for number in range(100):
            stream.text(str(number), "Hello there.", last=True)


async def test_a_cancelled_segment_never_reaches_the_engine(speaker: Speaker) -> None:
    stream = stream_of(speaker)
    stream.text("a", "Never said. Not this either.", last=True)
    stream.cancel("a")
    stream.close()

    messages = [message async for _, message in stream.messages()]

    assert len(messages) == 1
    done = messages[0]
    assert isinstance(done, Done)
    assert done.outcome is Outcome.CANCELLED
    assert done.cost.batch_size == 0


async def test_closing_leaves_no_task_behind(speaker: Speaker) -> None:
    before = asyncio.all_tasks()
    stream = stream_of(speaker)
    stream.text("a", "One sentence. Another sentence. A third one. And a fourth.", last=True)
    messages = stream.messages()
    assert isinstance((await anext(messages))[1], Chunk)

    await messages.aclose()

    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_an_encoder_at_work_is_not_closed_by_a_caller_who_leaves(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    happened: list[str] = []

    class SlowEncoder:
        def encode(self, samples: Float32) -> bytes:
            at_work.set()
            go_on.wait()
            happened.append("encoded")
            return b""

        def close(self) -> bytes:
            happened.append("closed")
            return b""

    monkeypatch.setattr(segment, "open_encoder", lambda *_: SlowEncoder())
    stream = SpeechStream(
        lambda name: Segment(name, speaker, SpeechOptions(), Output(Encoding.FLAC))
    )
    stream.text("a", "Hello.", last=True)
    reader = asyncio.create_task(anext(stream.messages()))
    await asyncio.to_thread(at_work.wait)

    reader.cancel()
    # The reader's task needs a few turns of the loop to get as far as it can.
    for _ in range(10):
        await asyncio.sleep(0)
    early = list(happened)
    go_on.set()
    await asyncio.wait([reader])

    assert early == []
    assert happened.index("closed") == len(happened) - 1


async def test_a_failure_is_raised_to_the_reader(speaker: Speaker) -> None:
    stream = stream_of(speaker)
    stream.text("a", "A sentence that is begun", last=False)
    stream.fail(NotFound("segment", "b"))

    with pytest.raises(NotFound):
        await anext(stream.messages())


async def test_phrases_past_the_deadline_are_not_spoken(speaker: Speaker) -> None:
    past = asyncio.get_running_loop().time() - 1
    stream = stream_of(speaker, Caller(deadline=past))
    stream.text("a", "Too late.", last=True)

    _, done = await anext(stream.messages())

    assert isinstance(done, Done)
    assert done.outcome is Outcome.FAILED
    assert isinstance(done.error, DeadlineExpired)


async def test_every_style_differs_from_neutral() -> None:
    neutral = MANNERS[Style.NEUTRAL]
    assert all(manner != neutral for style, manner in MANNERS.items() if style is not Style.NEUTRAL)


async def test_the_same_line_differs_by_every_option_in_the_cache(speaker: Speaker) -> None:
    utterance = normalize("Yes.")
    assert utterance is not None
    voice = speaker.book.default
    made = []
    for options in (
        SpeechOptions(),
        SpeechOptions(speed=1.2),
        SpeechOptions(style=Style.CALM),
        SpeechOptions(pitch_semitones=2),
        SpeechOptions(pronunciations=(("yes", "jˈɛp"),)),
        SpeechOptions(temperature=0.2),
        SpeechOptions(seed=4),
    ):
        first = await speaker.speak(utterance, voice, options)
        again = await speaker.speak(utterance, voice, options)
        made.append((first.cost.batch_size, again.cost.batch_size))

    assert made == [(1, 0)] * 7


async def test_a_pronunciation_of_an_absent_word_still_meets_the_cache(speaker: Speaker) -> None:
    utterance = normalize("No.")
    assert utterance is not None
    given = SpeechOptions(pronunciations=(("redis", "ˈɹɛdɪs"),), priority=Priority.BATCH)

    await speaker.speak(utterance, speaker.book.default, SpeechOptions())
    spoken = await speaker.speak(utterance, speaker.book.default, given)

    assert spoken.cost.batch_size == 0


def test_voices_need_a_known_default_and_unique_names(joe: PiperSynthesizer) -> None:
    with pytest.raises(ResourceMissing, match="nobody"):
        VoiceBook([joe], "nobody")
    with pytest.raises(ResourceMissing, match="two voices"):
        VoiceBook([joe, joe], "joe")


def test_a_language_nobody_speaks_names_those_spoken(joe: PiperSynthesizer) -> None:
    book = VoiceBook([joe], "joe")

    with pytest.raises(InvalidField, match="this server speaks en"):
        book.for_text("你好", None, None, "text")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_TTS_PORT", "7999")
    monkeypatch.setenv("VIVA_TTS_ENGINES", '["piper"]')

    settings = TtsSettings()

    assert settings.port == 7999
    assert settings.engines == ("piper",)
