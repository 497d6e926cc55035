"""The service over the wire, with the real voices."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from google.protobuf.duration_pb2 import Duration
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2

from services.runtime.server import serving
from services.tts.server import build
from services.tts.settings import TtsSettings
from tests.tts.calls import (
    Call,
    Heard,
    Stub,
    cancel,
    config,
    converse,
    flush,
    hear,
    level,
    one,
    text,
)
from tests.tts.conftest import no_lines

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


def ms(duration: Duration) -> float:
    return duration.ToMicroseconds() / 1000


async def say(stub: Stub, line: str, **fields: object) -> Heard:
    speech_config = tts_pb2.SpeechConfig(**fields)  # type: ignore[arg-type]
    return await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line, config=speech_config)))


async def test_lists_distinct_voices_with_the_default_first(stub: Stub) -> None:
    voices = (await stub.ListVoices(tts_pb2.ListVoicesRequest())).voices
    chinese = (await stub.ListVoices(tts_pb2.ListVoicesRequest(language="zh"))).voices
    none = (await stub.ListVoices(tts_pb2.ListVoicesRequest(language="fr"))).voices

    assert voices[0].is_default
    assert voices[0].id == "joe"
    assert len({voice.id for voice in voices}) == len(voices) >= 3
    assert {voice.gender for voice in voices} == {tts_pb2.GENDER_MALE, tts_pb2.GENDER_FEMALE}
    assert "jm_kumo" in {voice.id for voice in chinese}
    assert not none


async def test_lists_models_that_voices_name(stub: Stub) -> None:
    models = (await stub.ListModels(tts_pb2.ListModelsRequest())).models
    voices = (await stub.ListVoices(tts_pb2.ListVoicesRequest())).voices

    assert {voice.model for voice in voices} == {model.name for model in models}
    assert [model.is_default for model in models].count(True) == 1
    assert all(model.ready and model.memory_bytes > 0 for model in models)


async def test_speaks_a_text_phrase_by_phrase(stub: Stub) -> None:
    line = "Good morning, and welcome. Tell me about yourself."

    heard = await say(stub, line)

    assert heard.done is not None
    assert heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED
    assert {chunk.phrase for chunk in heard.chunks} == {0, 1, 2}
    assert heard.chunks[0].format.sample_rate_hz == 22_050
    assert heard.chunks[0].format.encoding == serving_pb2.AUDIO_ENCODING_PCM_S16LE
    assert not heard.chunks[1].HasField("format")
    assert level(heard.samples) > 0.01


async def test_chunks_follow_each_other_without_gap(stub: Stub) -> None:
    heard = await say(stub, "Good morning, and welcome. Tell me about yourself.")

    position = 0.0
    for chunk in heard.chunks:
        assert ms(chunk.offset) == pytest.approx(position, abs=0.01)
        assert len(chunk.audio) / 2 / 22.05 == pytest.approx(ms(chunk.duration), abs=0.01)
        assert ms(chunk.duration) <= 500
        position += ms(chunk.duration)
    assert heard.seconds * 1000 == pytest.approx(position, abs=0.05)


async def test_every_word_is_marked_where_it_stands_and_sounds(stub: Stub) -> None:
    line = "Hello there. In the end, API costs were $5, right?"

    heard = await say(stub, line)

    assert [word.text for word in heard.words] == [
        "Hello", "there", "In", "the", "end", "API", "costs", "were", "$5", "right",
    ]  # fmt: skip
    previous = 0.0
    for word in heard.words:
        assert line[word.text_offset :].startswith(word.text)
        assert previous - 0.01 <= ms(word.start) < ms(word.end) <= heard.seconds * 1000 + 0.01
        previous = ms(word.end)
        start, end = (round(ms(at) * 22.05) for at in (word.start, word.end))
        assert level(heard.samples[start:end]) > 0.005


async def test_text_in_pieces_is_spoken_like_the_whole(stub: Stub) -> None:
    line = "That was very clear. What would you do differently next time?"
    pieces = [line[i : i + 3] for i in range(0, len(line), 3)]

    whole = await say(stub, line)
    call = stub.StreamingSynthesize(
        iter([config(), *(text("a", piece) for piece in pieces), text("a", "", last=True)])
    )
    pieced = (await hear(call))["a"]

    # Equal phrases: the second time they come from the cache, sample for sample.
    np.testing.assert_array_equal(pieced.samples, whole.samples)
    assert pieced.done is not None
    assert pieced.done.stats.batch_size == 0


async def test_segments_are_spoken_in_the_order_they_began(stub: Stub) -> None:
    call = stub.StreamingSynthesize(
        iter(
            [
                config(),
                text("first", "One moment"),
                text("second", "Thank you."),
            ]
        )
    )

    segments = await hear(call)

    assert list(segments) == ["first", "second"]
    assert all(
        heard.done is not None and heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED
        for heard in segments.values()
    )


async def test_a_phrase_is_heard_before_the_text_is_finished(stub: Stub) -> None:
    call = converse(stub)
    await call.write(config())
    await call.write(text("a", "Thank you for that answer. And "))

    first = await call.read()
    assert first.chunk.phrase == 0

    await call.write(text("a", "now the next question."))
    await call.done_writing()
    rest = await hear(call)
    assert max(chunk.phrase for chunk in rest["a"].chunks) == 1


async def test_flush_speaks_an_unfinished_phrase(stub: Stub) -> None:
    call = converse(stub)
    await call.write(config())
    await call.write(text("a", "Let me think"))
    await call.write(flush("a"))

    message = await call.read()

    assert [word.text for word in message.chunk.words] == ["Let", "me", "think"]
    call.cancel()


async def test_a_cancelled_segment_goes_quiet_and_the_next_one_speaks(stub: Stub) -> None:
    call = converse(stub)
    await call.write(config())
    await call.write(text("long", "This sentence goes on for a while. " * 100))
    first = await call.read()
    assert first.chunk.segment_id == "long"

    await call.write(cancel("long"))
    await call.write(text("long", "It is too late for this."))
    await call.write(text("next", "Go ahead.", last=True))
    await call.done_writing()
    segments = await hear(call)

    long = segments["long"]
    assert long.done is not None
    assert long.done.outcome == tts_pb2.SEGMENT_OUTCOME_CANCELLED
    assert long.done.duration.ToSeconds() < 60
    assert segments["next"].done is not None
    assert segments["next"].done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED


async def test_cancelling_what_is_over_changes_nothing(stub: Stub) -> None:
    call = converse(stub)
    await call.write(config())
    await call.write(text("a", "Fine.", last=True))
    while not (await call.read()).HasField("done"):
        pass
    await call.write(cancel("a"))
    await call.write(text("b", "Good.", last=True))
    await call.done_writing()

    segments = await hear(call)

    assert list(segments) == ["b"]


async def test_a_segment_with_nothing_to_say_is_done_at_once(stub: Stub) -> None:
    call = stub.StreamingSynthesize(iter([config(), text("a", " … 😀!", last=True)]))

    heard = (await hear(call))["a"]

    assert heard.chunks == []
    assert heard.done is not None
    assert heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED
    assert heard.seconds == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def uncached(data_dir: Path) -> AsyncIterator[Stub]:
    """A server that speaks every line anew, whoever said it before."""
    settings = TtsSettings(
        port=0, data_dir=data_dir, engines=("piper",), lame_duck_seconds=0, drain_seconds=1,
        frequent_lines=no_lines(data_dir), cache_bytes=0, first_phrase_seconds=120,
        phrase_seconds=240,
    )  # fmt: skip
    async with (
        serving(settings, "tts", partial(build, settings)) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Stub(channel)


def made_anew(heard: Heard) -> bool:
    assert heard.done is not None
    return heard.done.stats.batch_size > 0


async def test_concurrent_streams_hear_their_own_words(uncached: Stub) -> None:
    lines = [f"Answer number {number} is the one that I was looking for." for number in range(8)]
    # With a seed a line sounds the same whenever it is made.
    seed = tts_pb2.SpeechSampling(seed=1)

    alone = [await say(uncached, line, sampling=seed) for line in lines]
    heard = await asyncio.gather(*(say(uncached, line, sampling=seed) for line in lines))

    for line, together, before in zip(lines, heard, alone, strict=True):
        assert " ".join(word.text for word in together.words) + "." == line
        assert made_anew(together)
        np.testing.assert_array_equal(together.samples, before.samples)
    assert len({before.audio for before in alone}) == len(lines)


async def test_speed_and_style_change_the_length(stub: Stub) -> None:
    line = "Could you walk me through the design, step by step?"

    # Without a seed the rhythm varies by chance.
    steady = tts_pb2.SpeechSampling(seed=1)

    normal = await say(stub, line, sampling=steady)
    quick = await say(stub, line, speed=1.6, sampling=steady)
    calm = await say(stub, line, style=tts_pb2.STYLE_CALM, sampling=steady)

    assert quick.seconds < 0.8 * normal.seconds
    assert calm.seconds > 1.02 * normal.seconds


async def test_pitch_moves_and_the_length_stays(stub: Stub) -> None:
    line = "Could you walk me through the design, step by step?"

    normal = await say(stub, line, sampling=tts_pb2.SpeechSampling(seed=1))
    higher = await say(stub, line, pitch_semitones=6, sampling=tts_pb2.SpeechSampling(seed=1))

    assert higher.seconds == pytest.approx(normal.seconds, rel=0.15)
    assert _centroid(higher) > 1.15 * _centroid(normal)


def _centroid(heard: Heard) -> float:
    spectrum = np.abs(np.fft.rfft(heard.samples)) ** 2
    return float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum())


async def test_a_pronunciation_is_used(stub: Stub) -> None:
    line = "We use Redis a lot."
    seed = tts_pb2.SpeechSampling(seed=1)
    odd = [tts_pb2.Pronunciation(word="redis", ipa="bˈænˈɑːnə bˈænˈɑːnə")]

    normal = await say(stub, line, sampling=seed)
    given = await say(stub, line, sampling=seed, pronunciations=odd)

    assert given.seconds > normal.seconds + 0.2


async def test_a_seed_makes_speech_repeatable(uncached: Stub) -> None:
    line, seed = "Please go on now.", tts_pb2.SpeechSampling(seed=3)

    seeded = [await say(uncached, line, sampling=seed) for _ in range(2)]
    free = [await say(uncached, line) for _ in range(2)]

    assert all(map(made_anew, seeded + free))
    np.testing.assert_array_equal(seeded[0].samples, seeded[1].samples)
    # Without one the voice varies, so it is the seed that makes the difference.
    assert free[0].audio != free[1].audio


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [
        (serving_pb2.AUDIO_ENCODING_WAV, 16_000),
        (serving_pb2.AUDIO_ENCODING_FLAC, 44_100),
        (serving_pb2.AUDIO_ENCODING_OGG_OPUS, 24_000),
    ],
)
async def test_chunks_of_a_file_encoding_are_a_file(
    stub: Stub, encoding: serving_pb2.AudioEncoding.ValueType, rate: int
) -> None:
    heard = await say(
        stub,
        "This is a test. It has two phrases.",
        format=serving_pb2.AudioFormat(encoding=encoding, sample_rate_hz=rate),
    )

    data, found = soundfile.read(io.BytesIO(heard.audio), dtype="float32")

    assert found in {rate, 48_000}
    assert len(data) / found == pytest.approx(heard.seconds, abs=0.05)
    assert heard.chunks[0].format.sample_rate_hz == rate
    assert level(data) > 0.01


async def test_floats_at_another_rate_are_resampled(stub: Stub) -> None:
    audio_format = serving_pb2.AudioFormat(
        encoding=serving_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hz=48_000
    )

    heard = await say(stub, "This is a test.", format=audio_format)

    assert len(heard.audio) / 4 / 48_000 == pytest.approx(heard.seconds, abs=0.001)


async def test_chinese_is_spoken_by_a_voice_that_knows_it(stub: Stub) -> None:
    line = "你好。Tell me about 微服务。"

    heard = await say(stub, line)

    assert [word.text for word in heard.words] == [
        "你", "好", "Tell", "me", "about", "微", "服", "务",
    ]  # fmt: skip
    assert heard.done is not None
    assert heard.done.stats.model == "kokoro-82m"
    assert level(heard.samples) > 0.01


@pytest.mark.parametrize(
    ("line", "language", "names"),
    [
        ("Good afternoon, 王小明, and welcome to this interview.", None, "王小明"),
        # Told that the text is English, a voice reads out even a phrase that is a name alone.
        ("王小明. Shall we begin?", "en", "王小明"),
    ],
)
async def test_a_voice_without_chinese_says_a_chinese_name_in_an_english_text(
    stub: Stub, line: str, language: str | None, names: str
) -> None:
    heard = await say(stub, line, voice="joe", language=language)

    assert heard.done is not None
    assert heard.done.stats.model != "kokoro-82m"
    spans = [word for word in heard.words if word.text in names]
    assert [word.text for word in spans] == list(names)
    assert level(heard.samples) > 0.01


async def test_a_chinese_phrase_in_an_english_stream_is_not_lost(stub: Stub) -> None:
    call = stub.StreamingSynthesize(
        iter([config(), text("a", "Thank you. 谢谢你的回答。", last=True)])
    )

    heard = (await hear(call))["a"]

    assert [word.text for word in heard.words][2:] == list("谢谢你的回答")
    assert len(heard.samples) / 22_050 == pytest.approx(heard.seconds, abs=0.001)


async def test_the_long_text_a_request_may_hold_is_spoken_until_cancelled(stub: Stub) -> None:
    line = ("word " * 4000).strip()
    call: Call = stub.Synthesize(tts_pb2.SynthesizeRequest(text=line))

    first = await call.read()
    call.cancel()

    assert first.chunk.audio
    with pytest.raises(asyncio.CancelledError):
        await call.read()


async def test_stats_tell_what_a_request_cost(stub: Stub) -> None:
    metadata = (("x-request-id", "tts-stats"),)
    request = tts_pb2.SynthesizeRequest(text="A line that nobody has said before today.")

    fresh = await one(stub.Synthesize(request, metadata=metadata))
    repeated = await one(stub.Synthesize(request, metadata=metadata))

    assert fresh.done is not None
    assert repeated.done is not None
    assert fresh.done.stats.request_id == "tts-stats"
    assert fresh.done.stats.compute_time.ToMicroseconds() > 0
    assert fresh.done.stats.batch_size >= 1
    assert repeated.done.stats.batch_size == 0
    assert repeated.done.stats.compute_time.ToMicroseconds() == 0


async def test_a_vanished_client_leaves_the_server_working(address: str, stub: Stub) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = converse(Stub(channel))
        await call.write(config())
        await call.write(text("a", "This will be cut off in the middle. " * 50))
        await call.read()

    heard = await say(stub, "I am still here.")

    assert heard.done is not None
    assert heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED
