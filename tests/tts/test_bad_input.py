"""What the service refuses, and how it says so. Other callers never notice."""

from __future__ import annotations

import asyncio
import io

import grpc
import numpy as np
import pytest
import soundfile
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2

from tests.tts.calls import Request, Stub, cancel, config, fields, flush, hear, one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

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
    streamed = await stream_refusal(stub, config(**given), text("a", "Hello.", last=True))

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
    streamed = await stream_refusal(stub, config(voice="joe"), text("a", "你好。", last=True))

    assert (error.code(), fields(error)) == (INVALID, ["text"])
    assert "jm_kumo" in (error.details() or "")
    assert (streamed.code(), fields(streamed)) == (INVALID, ["text.text"])


async def test_control_characters_and_emoji_inside_text_are_passed_over(stub: Stub) -> None:
    line = "Well\x00 done\x07 😀, go\u200b on 👍🏽!"

    heard = await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line)))

    assert [word.text for word in heard.words] == ["Well", "done", "go", "on"]


async def test_the_longest_texts_hold_nobody_else_up(stub: Stub) -> None:
    lines = ["AB CD " * 3_333, "STOP IT " * 2_500, "1中" * 10_000]
    calls = [stub.Synthesize(tts_pb2.SynthesizeRequest(text=line)) for line in lines]
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call.read())
        # Each of them once kept the event loop for seconds.
        for _ in range(5):
            await stub.ListVoices(tts_pb2.ListVoicesRequest(), timeout=3)
    for call in calls:
        call.cancel()


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


async def test_a_segment_holds_a_limited_text(stub: Stub) -> None:
    piece = "1234 " * 1000

    error = await stream_refusal(stub, config(), *(text("a", piece) for _ in range(5)))

    assert (error.code(), fields(error)) == (INVALID, ["text.text"])


async def test_a_passed_deadline_costs_nothing(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(
            stub.Synthesize(tts_pb2.SynthesizeRequest(text="Too late for that."), timeout=1e-6)
        )

    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_that_passes_while_speaking_ends_the_call(stub: Stub) -> None:
    line = "This is far too long for the time that is left. " * 100

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text=line), timeout=0.4))

    assert caught.value.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
