"""Segments of a stream: each spoken in its own way, and each failing by itself."""

from __future__ import annotations

import hashlib
import io
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

from services.runtime.audio.g711 import float_from_alaw, float_from_mulaw
from services.runtime.server import Service, serving
from services.tts.cache import SpeechCache
from services.tts.segment import Urgency
from services.tts.server import NAME
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker
from services.tts.styles import MANNERS, Style
from services.tts.voices import VoiceBook
from tests.refusals import blamed, fields, reason
from tests.tts.calls import Heard, Request, Stub, config, flush, hear, one, text
from tests.tts.standin import RATE, Tones

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
INTERNAL = grpc.StatusCode.INTERNAL.value[0]


@pytest.fixture(scope="module")
def tones() -> Tones:
    return Tones()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stub]:
    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        book = VoiceBook([tones], "alto")
        async with Speaker(book, [tones], SpeechCache(0), {}) as speaker:
            servicer = TtsServicer(speaker, [tones], Urgency())
            add = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, add)]

    folder: Path = tmp_path_factory.mktemp("viva")
    settings = TtsSettings(port=0, data_dir=folder, lame_duck_seconds=0, drain_seconds=1)
    async with (
        serving(settings, "tts", build) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield Stub(channel)


async def streamed(stub: Stub, *messages: Request) -> dict[str, Heard]:
    return await hear(stub.StreamingSynthesize(iter(messages)))


def failure(heard: Heard) -> tuple[int, Sequence[str]]:
    """The code a segment failed with, and the fields it blames."""
    assert heard.done is not None
    assert heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_FAILED
    return heard.done.error.code, blamed(heard.done.error)


def completed(heard: Heard) -> bool:
    assert heard.done is not None
    assert not heard.done.HasField("error")
    return heard.done.outcome == tts_pb2.SEGMENT_OUTCOME_COMPLETED and bool(heard.chunks)


async def test_a_segment_that_fails_is_told_and_the_next_one_is_spoken(stub: Stub) -> None:
    heard = await streamed(
        stub, config(),
        text("a", "This one is broken.", last=True),
        text("b", "This one is whole.", last=True),
    )  # fmt: skip

    assert failure(heard["a"]) == (INTERNAL, [])
    # What broke is no caller's business.
    assert heard["a"].done is not None
    assert "engine" not in heard["a"].done.error.message
    assert completed(heard["b"])


async def test_what_was_spoken_before_the_failure_stays(stub: Stub) -> None:
    heard = await streamed(
        stub, config(), text("a", "One thing first. Then it is broken. Never said.", last=True)
    )

    assert failure(heard["a"])[0] == INTERNAL
    assert [word.text for word in heard["a"].words] == ["One", "thing", "first"]
    assert heard["a"].seconds == pytest.approx(len(heard["a"].samples) / RATE, abs=0.001)


async def test_text_and_flushes_for_a_failed_segment_are_passed_over(stub: Stub) -> None:
    heard = await streamed(
        stub, config(),
        text("a", "Good day.", voice="nobody"), text("a", " More of it."), flush("a"),
        text("a", "And its end.", last=True),
        text("b", "Good day.", last=True),
    )  # fmt: skip

    assert failure(heard["a"]) == (NOT_FOUND, ["text.delivery.voice"])
    assert completed(heard["b"])


async def test_a_language_the_voice_lacks_fails_its_segment_alone(stub: Stub) -> None:
    heard = await streamed(
        stub, config(voice="alto"), text("a", "你好。", last=True), text("b", "Hello.", last=True)
    )

    assert failure(heard["a"]) == (INVALID, ["text.text"])
    assert completed(heard["b"])


async def test_a_segment_holds_a_limited_text(stub: Stub) -> None:
    piece = "1234 " * 1000

    heard = await streamed(
        stub, config(), *(text("a", piece) for _ in range(5)), text("b", "Hello.", last=True)
    )

    assert failure(heard["a"]) == (INVALID, ["text.text"])
    assert completed(heard["b"])


async def test_a_whole_text_that_fails_fails_its_call(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(tts_pb2.SynthesizeRequest(text="It is broken.")))

    assert caught.value.code() == grpc.StatusCode.INTERNAL


async def test_each_segment_is_spoken_in_its_own_way(stub: Stub, tones: Tones) -> None:
    tones.requests.clear()

    heard = await streamed(
        stub, config(voice="alto", speed=1.0, style=tts_pb2.STYLE_CALM),
        text("a", "As the config says.", last=True),
        text("b", "In another voice.", last=True, voice="bass", style=tts_pb2.STYLE_CHEERFUL),
        text("c", "Twice as quick.", last=True, speed=2.0),
        text("d", "As at first again.", last=True),
    )  # fmt: skip

    assert all(completed(segment) for segment in heard.values())
    assert [request.voice for request in tones.requests] == ["alto", "bass", "alto", "alto"]
    speeds = [request.delivery.speed for request in tones.requests]
    assert speeds[0] == speeds[3]
    assert speeds[1] == pytest.approx(
        MANNERS[Style.CHEERFUL].speed / 2 ** (MANNERS[Style.CHEERFUL].pitch_semitones / 12),
        abs=1e-3,
    )
    assert speeds[2] == pytest.approx(2 * speeds[0], abs=1e-3)


@pytest.mark.parametrize(
    ("delivery", "field"),
    [
        ({"voice": "nobody"}, "text.delivery.voice"),
        ({"language": "fr"}, "text.delivery.language"),
        ({"voice": "bass", "language": "zh"}, "text.delivery.language"),
    ],
)
async def test_a_delivery_that_cannot_be_fails_its_segment(
    stub: Stub, delivery: dict[str, object], field: str
) -> None:
    heard = await streamed(
        stub, config(), text("a", "Hello.", last=True, **delivery), text("b", "Yes.", last=True)
    )

    assert failure(heard["a"])[1] == [field]
    assert completed(heard["b"])


async def test_a_delivery_comes_with_the_first_piece_only(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(stub, config(), text("a", "Hello "), text("a", "there.", speed=2.0))

    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(caught.value) == ["text.delivery"]


def recording(seed: int) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, 4 * RATE)
    soundfile.write(out, noise.astype(np.float32), RATE, format="WAV")
    return out.getvalue()


def imitate(text_: str, **reference: object) -> tts_pb2.SynthesizeRequest:
    given = tts_pb2.ReferenceVoice(**reference)  # type: ignore[arg-type]
    return tts_pb2.SynthesizeRequest(text=text_, config=tts_pb2.SpeechConfig(reference_voice=given))


async def test_a_reference_voice_is_sent_once_and_then_named(stub: Stub, tones: Tones) -> None:
    audio = recording(1)
    digest = hashlib.sha256(audio).hexdigest()
    tones.requests.clear()

    await one(stub.Synthesize(imitate("Hello there.", audio=audio)))
    await one(stub.Synthesize(imitate("Hello again.", digest=digest, transcript="noise")))

    sent, named = (request.reference for request in tones.requests)
    assert sent is not None
    assert named is not None
    assert named.digest == sent.digest
    np.testing.assert_array_equal(named.samples, sent.samples)
    assert (sent.transcript, named.transcript) == (None, "noise")


async def test_a_reference_voice_that_is_not_held_has_to_be_sent_again(stub: Stub) -> None:
    digest = hashlib.sha256(recording(2)).hexdigest()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(imitate("Hello there.", digest=digest)))

    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert fields(caught.value) == ["config.reference_voice.digest"]
    assert reason(caught.value) == "REFERENCE_UNKNOWN"


@pytest.mark.parametrize("given", [{}, {"digest": "abc"}, {"audio": b""}])
async def test_a_reference_voice_has_a_source(stub: Stub, given: dict[str, object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one(stub.Synthesize(imitate("Hello there.", **given)))

    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(caught.value)[0].startswith("config.reference_voice")


@pytest.mark.parametrize(
    ("encoding", "decode"),
    [
        (serving_pb2.AUDIO_ENCODING_MULAW, float_from_mulaw),
        (serving_pb2.AUDIO_ENCODING_ALAW, float_from_alaw),
    ],
)
async def test_the_telephones_samples_are_a_byte_each(
    stub: Stub, encoding: serving_pb2.AudioEncoding.ValueType, decode: object
) -> None:
    assert callable(decode)
    shape = serving_pb2.AudioFormat(encoding=encoding, sample_rate_hz=8_000)
    linear = serving_pb2.AudioFormat(sample_rate_hz=8_000)

    coded, plain = [
        await one(
            stub.Synthesize(
                tts_pb2.SynthesizeRequest(
                    text="Hello there.", config=tts_pb2.SpeechConfig(format=wanted)
                )
            )
        )
        for wanted in (shape, linear)
    ]

    assert coded.chunks[0].format.encoding == encoding
    assert len(coded.audio) == len(plain.audio) / 2
    np.testing.assert_allclose(decode(coded.audio), plain.samples, atol=0.02)
