"""What the service refuses, and how it says so. Other callers never notice."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2

from services.runtime import metrics
from services.runtime.server import serving
from services.tts.server import build
from services.tts.settings import TtsSettings
from tests.refusals import fields
from tests.tts.calls import Request, Stub, cancel, config, flush, hear, one, text

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def wav(seconds: float, level: float = 0.1) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, level, round(seconds * 16_000))
    soundfile.write(out, noise.astype(np.float32), 16_000, format="WAV")
    return out.getvalue()


async def refusal(stub: Stub, line: str, **given: object) -> grpc.aio.AioRpcError:
    speech_config = tts_pb2.SpeechConfig(**given)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line, config=speech_config)))
    return caught.value


async def stream_refusal(stub: Stub, *messages: Request) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await hear(stub.StreamingSynthesize(iter(messages)))
    return caught.value


@pytest.mark.parametrize(
    "line",
    ["", "a" * 100_000, "?!… —", "\x00\x07\x1b\n\t", "😀🎉👍🏽", "   "],
    ids=["empty", "too long", "punctuation", "control", "emoji", "spaces"],
)
async def test_text_without_speech_in_it_names_the_text(stub: Stub, line: str) -> None:
    error = await refusal(stub, line)

    assert error.code() == INVALID
    assert fields(error) == ["text"]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"voice": "nobody"}, NOT_FOUND, "config.voice"),
        ({"language": "fr-FR"}, INVALID, "config.language"),
        ({"language": "no language"}, INVALID, "config.language"),
        ({"voice": "joe", "language": "zh"}, INVALID, "config.language"),
        ({"speed": 9.0}, INVALID, "config.speed"),
        ({"pitch_semitones": 40.0}, INVALID, "config.pitch_semitones"),
        ({"style": 77}, INVALID, "config.style"),
        (
            {"reference_voice": tts_pb2.ReferenceVoice(audio=wav(4))},
            INVALID,
            "config.reference_voice",
        ),
        (
            {"pronunciations": [tts_pb2.Pronunciation(word="a", ipa="..")]},
            INVALID,
            "config.pronunciations[0].ipa",
        ),
        (
            {"format": serving_pb2.AudioFormat(sample_rate_hz=4_000)},
            INVALID,
            "config.format.sample_rate_hz",
        ),
        (
            {
                "format": serving_pb2.AudioFormat(
                    encoding=serving_pb2.AUDIO_ENCODING_OGG_OPUS, sample_rate_hz=22_050
                )
            },
            INVALID,
            "config.format.sample_rate_hz",
        ),
        (
            {"format": serving_pb2.AudioFormat(channels=2)},
            INVALID,
            "config.format.channels",
        ),
    ],
)
async def test_a_wrong_setting_is_named(
    stub: Stub, given: dict[str, object], code: grpc.StatusCode, field: str
) -> None:
    error = await refusal(stub, "Hello.", **given)
    # Nothing follows that could be on its way when the refusal comes.
    streamed = await stream_refusal(stub, config(**given))

    assert (error.code(), fields(error)) == (code, [field])
    # Only the message differs: there the config is the message's own field.
    assert (streamed.code(), fields(streamed)) == (code, [field])


async def test_the_largest_reference_voice_is_no_message_too_large(stub: Stub) -> None:
    largest = tts_pb2.ReferenceVoice(audio=bytes(8 * 1024 * 1024))
    larger = tts_pb2.ReferenceVoice(audio=bytes(8 * 1024 * 1024 + 1))

    error = await refusal(stub, "Hello.", reference_voice=largest)
    too_large = await refusal(stub, "Hello.", reference_voice=larger)

    assert fields(error) == ["config.reference_voice"]
    assert fields(too_large) == ["config.reference_voice.audio"]


async def test_a_voice_without_chinese_refuses_chinese_text(stub: Stub) -> None:
    error = await refusal(stub, "Hello 世界", voice="joe")

    assert (error.code(), fields(error)) == (INVALID, ["text"])
    assert "jm_kumo" in (error.details() or "")


async def test_control_characters_and_emoji_inside_text_are_passed_over(stub: Stub) -> None:
    line = "Well\x00 done\x07 😀, go\u200b on 👍🏽!"

    heard = await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line)))

    assert [word.text for word in heard.words] == ["Well", "done", "go", "on"]


async def test_the_longest_texts_hold_nobody_else_up(stub: Stub) -> None:
    lines = ["AB CD " * 3_333, "STOP IT " * 2_500, "1中" * 10_000]
    # Quick: a phrase that has begun is spoken to its end, and others stand behind it.
    quick = tts_pb2.SpeechConfig(speed=2)
    calls = [stub.Synthesize(tts_pb2.SynthesizeRequest(text=line, config=quick)) for line in lines]
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call.read())
        # Each of them once kept the event loop for seconds.
        for _ in range(5):
            await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=3)
    for call in calls:
        call.cancel()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("\x00\x07\x1b\n\t", []),
        ("😀🎉👍🏽", []),
        ("Well\x00 done\x07 😀, go\u200b on 👍🏽!", ["Well", "done", "go", "on"]),
        ("请介绍一下 API。", ["请", "介", "绍", "一", "下", "API"]),
    ],
    ids=["empty", "control", "emoji", "mixed", "Chinese and English"],
)
async def test_a_stream_speaks_what_can_be_spoken(stub: Stub, line: str, words: list[str]) -> None:
    heard = (await hear(stub.StreamingSynthesize(iter([config(), text("a", line, last=True)]))))[
        "a"
    ]

    assert [word.text for word in heard.words] == words
    assert heard.done is not None
    assert heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED


async def test_a_piece_of_text_over_the_contracts_limit_is_refused(stub: Stub) -> None:
    error = await stream_refusal(stub, config(), text("a", "a" * 100_000))

    assert (error.code(), fields(error)) == (INVALID, ["text.text"])


@pytest.mark.parametrize("language", ["", "no language", "x" * 36, "语"])
async def test_a_malformed_language_of_voices_is_named(stub: Stub, language: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListVoices(tts_pb2.ListVoicesRequest(language=language))

    assert (caught.value.code(), set(fields(caught.value))) == (INVALID, {"language"})


async def test_a_message_over_the_servers_limit_is_refused_and_the_next_one_served(
    data_dir: Path,
) -> None:
    settings = TtsSettings(
        port=0, data_dir=data_dir, engines=("piper",), lame_duck_seconds=0, drain_seconds=1,
        max_message_bytes=20_000,
    )  # fmt: skip
    too_much = "word " * 5_000
    async with (
        serving(settings, "tts", partial(build, settings)) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        small = Stub(channel)
        whole = await refusal(small, too_much)
        streamed = await stream_refusal(small, config(), text("a", too_much))
        heard = await one(small.Synthesize(tts_pb2.SynthesizeRequest(text="Good.")))

    assert whole.code() == streamed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert heard.done is not None


async def test_a_stream_must_begin_with_the_config(stub: Stub) -> None:
    error = await stream_refusal(stub, text("a", "Hello.", last=True))

    assert (error.code(), fields(error)) == (INVALID, ["config"])


async def test_a_stream_has_one_config(stub: Stub) -> None:
    error = await stream_refusal(stub, config(), text("a", "Hello there."), config())

    assert (error.code(), fields(error)) == (INVALID, ["config"])


async def test_an_empty_stream_is_no_error(stub: Stub) -> None:
    assert await hear(stub.StreamingSynthesize(iter([]))) == {}
    assert await hear(stub.StreamingSynthesize(iter([config()]))) == {}


async def test_an_empty_message_is_refused(stub: Stub) -> None:
    error = await stream_refusal(stub, config(), Request())

    assert error.code() == INVALID


@pytest.mark.parametrize(
    ("message", "field"),
    [(cancel("ghost"), "cancel.segment_id"), (flush("ghost"), "flush.segment_id")],
)
async def test_a_segment_that_never_began_is_not_found(
    stub: Stub, message: Request, field: str
) -> None:
    error = await stream_refusal(stub, config(), message)

    assert (error.code(), fields(error)) == (NOT_FOUND, [field])


async def test_text_after_a_segments_end_is_refused(stub: Stub) -> None:
    ended = await stream_refusal(
        stub, config(), text("a", "One thing.", last=True), text("a", "Another.")
    )
    replaced = await stream_refusal(
        stub, config(), text("a", "One thing."), text("b", "Next."), text("a", "Another.")
    )

    for error in (ended, replaced):
        assert (error.code(), fields(error)) == (INVALID, ["text.segment_id"])


async def test_a_passed_deadline_costs_nothing(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(
            stub.Synthesize(tts_pb2.SynthesizeRequest(text="Too late for that."), timeout=1e-6)
        )

    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("limit", [-1.0, 0.0, 1e-6])
async def test_a_passed_deadline_ends_a_stream_at_once(stub: Stub, limit: float) -> None:
    assert await _end_of_held(stub, [], limit) == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    "messages",
    [[], [config()], [config(), text("a", "Well, ")]],
    ids=["no config", "config alone", "text"],
)
async def test_a_deadline_that_passes_in_mid_stream_ends_the_stream(
    stub: Stub, messages: list[Request]
) -> None:
    running = metrics.CALLS_RUNNING.labels("/viva.tts.v1.TtsService/StreamingSynthesize")

    assert await _end_of_held(stub, messages, 0.5) == grpc.StatusCode.DEADLINE_EXCEEDED

    async with asyncio.timeout(30):
        while running._value.get() > 0:  # noqa: ASYNC110 - the server's side, which sends no event
            await asyncio.sleep(0.01)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "tts-reader"]


async def _end_of_held(stub: Stub, messages: list[Request], limit: float) -> grpc.StatusCode:
    """How a stream ends whose caller says this and then neither goes on nor closes it."""
    ended = asyncio.Event()

    async def requests() -> AsyncIterator[Request]:
        for message in messages:
            yield message
        await ended.wait()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await hear(stub.StreamingSynthesize(requests(), timeout=limit))
    # The client's side of grpc.aio does not end an iterator that waits.
    ended.set()
    return caught.value.code()


async def test_a_deadline_that_passes_while_speaking_ends_the_call(stub: Stub) -> None:
    line = "This is far too long for the time that is left. " * 100

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line), timeout=0.4))

    assert caught.value.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }


@pytest.mark.parametrize(
    ("said", "script"),
    [("Привет, мир", "Cyrillic"), ("مرحبا بالعالم", "Arabic"), ("안녕하세요", "Hangul")],
)
async def test_a_text_in_a_script_that_no_voice_reads_is_refused(
    stub: Stub, said: str, script: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=said)))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(refused.value) == ["text"]


async def test_a_foreign_name_in_a_sentence_is_spoken(stub: Stub) -> None:
    heard = await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text="Hello Иван, welcome back.")))
    assert heard.audio
