"""What the contract promises beyond text: languages, hints, pauses, finalizes, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from viva.asr.v1 import asr_pb2
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import Float32
from services.asr.tags import NamedLanguages
from services.asr.transcript import Partial, TimedWord, TurnEvent
from services.asr.wire import event_response
from services.runtime.audio import g711, pcm
from services.runtime.stats import seconds
from tests.asr.audio import read_wav, silence, words
from tests.asr.calls import Request, Stub, audio, chunk, config, ends, refused, stream
from tests.asr.conftest import serve
from tests.recordings import cards, librivox
from tests.refusals import fields

FINALIZE = Request(finalize=asr_pb2.Finalize())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub() -> AsyncIterator[Stub]:
    async with serve(
        max_recording_seconds=60,
        max_stream_seconds=100,
        max_gap_seconds=20,
        max_live_streams=3,
        max_live_streams_per_caller=2,
    ) as connected:
        yield connected


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def sentence() -> Float32:
    return np.concatenate([read_wav(librivox()[4].path), silence(1)])


def kinds(events: list[asr_pb2.StreamingRecognizeResponse]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


# Languages and hints.


async def test_several_languages_restrict_what_is_detected(stub: Stub) -> None:
    asked = asr_pb2.RecognitionConfig(languages=["de", "fr-CA"])
    request = asr_pb2.RecognizeRequest(
        audio=pcm.s16le_from_float(sentence()),
        format=serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=16_000
        ),
        config=asked,
    )
    answer = await stub.Recognize(request, timeout=60)
    assert answer.language in {"de", "fr-CA"}
    assert 0 < answer.language_confidence <= 1
    [turn] = ends(await stream(stub, [config(recognition=asked), *audio(sentence())]))
    assert turn.language in {"de", "fr-CA"}
    assert 0 < turn.language_confidence <= 1


async def test_a_language_that_was_named_has_no_confidence(stub: Stub) -> None:
    [turn] = ends(await stream(stub, [config(), *audio(sentence())]))
    assert turn.language == "en"
    assert not turn.HasField("language_confidence")
    assert 0.3 < turn.confidence <= 1


async def test_the_hint_with_the_greatest_boost_is_heard_among_many(stub: Stub) -> None:
    queen_of_clubs = np.concatenate([read_wav(cards()[1].path), silence(1)])
    ranks = ("two", "three", "five", "six", "seven", "eight", "nine", "ten", "jack", "king", "ace")
    phrases = [f"{rank} of {suit}" for rank in ranks for suit in ("hearts", "spades", "diamonds")]
    hints = [asr_pb2.PhraseHint(phrase=phrase) for phrase in phrases]
    hints.append(asr_pb2.PhraseHint(phrase="queen of clubs", boost=20))
    asked = asr_pb2.RecognitionConfig(languages=["en"], phrase_hints=hints)
    [turn, *_] = ends(await stream(stub, [config(recognition=asked), *audio(queen_of_clubs)]))
    assert "clubs" in words(turn.text)


# Telephone samples.


@pytest.mark.parametrize("law", ["mu", "a"])
async def test_telephone_samples_are_understood(stub: Stub, law: str) -> None:
    narrow = pcm.StreamResampler(16_000, 8_000).feed(sentence(), last=True)
    encode = g711.mulaw_from_float if law == "mu" else g711.alaw_from_float
    encoding = serving_pb2.AUDIO_ENCODING_MULAW if law == "mu" else serving_pb2.AUDIO_ENCODING_ALAW
    shape = serving_pb2.AudioFormat(encoding=encoding, sample_rate_hz=8_000)
    data = encode(narrow)
    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=data, format=shape), timeout=60)
    pieces = [chunk(data[i : i + 1_600]) for i in range(0, len(data), 1_600)]
    [turn] = ends(await stream(stub, [config(format=shape), *pieces]))
    for text in (answer.text, turn.text):
        assert "himself" in words(text)


# The timeline.


async def test_times_stay_right_behind_a_gap_and_an_overlap(stub: Stub) -> None:
    speech = sentence()
    data = pcm.s16le_from_float(speech)
    half = len(data) // 4 * 2
    messages = [
        config(),
        chunk(data[:half], offset=10),
        # Sent again, and a little more.
        chunk(data, offset=10),
    ]
    [turn] = ends(await stream(stub, messages))
    assert "himself" in words(turn.text)
    assert 10 < seconds(turn.start) < 11
    assert seconds(turn.end) == pytest.approx(10 + len(speech) / 16_000 - 1, abs=0.5)


async def test_a_gap_that_is_too_long_is_refused(stub: Stub) -> None:
    error = await refused(stub, [config(), chunk(bytes(3_200)), chunk(b"\0\0", offset=30)])
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["audio.offset"]
    assert "20 s" in (error.details() or "")


# Partials, pauses, finalizes, endpointing.


async def test_stable_words_and_the_language_come_with_partials() -> None:
    words_of_it = (TimedWord("Hello", 1.0, 1.5, 0.9), TimedWord("there", 1.5, 2.0, None))
    partial = Partial("Hello there", ", and", 2.5, words_of_it, "en")
    languages = NamedLanguages.of(["en-GB"], {"en"}, "languages")
    response = event_response(TurnEvent(3, partial), "whisper", languages)
    assert response.turn == 3
    assert response.partial.language == "en-GB"
    first, second = response.partial.stable_words
    assert (first.text, seconds(first.start), seconds(first.end)) == ("Hello", 1.0, 1.5)
    assert first.confidence == pytest.approx(0.9)
    assert not second.HasField("confidence")
    unsure = event_response(TurnEvent(3, Partial("", "Hel", 1.2)), "whisper", languages)
    assert not unsure.partial.HasField("language")
    assert not unsure.partial.stable_words


async def test_pauses_are_told_with_the_probability_that_the_turn_is_complete(stub: Stub) -> None:
    first, second = (read_wav(librivox()[i].path) for i in (0, 4))
    patient = asr_pb2.Endpointing(min_silence=Duration(seconds=1), max_silence=Duration(seconds=2))
    asked = config(pause_events=True, endpointing=patient)
    speech = np.concatenate([first, silence(0.8), second, silence(2.5)])
    events = await stream(stub, [asked, *audio(speech, 1_600)])
    pauses = [e.pause for e in events if e.HasField("pause")]
    [turn] = ends(events)
    assert len(pauses) >= 10
    assert all(0 <= p.completion_probability <= 1 for p in pauses)
    assert all(p.HasField("completion_probability") for p in pauses)
    assert 0.15 <= seconds(pauses[0].silence) <= 0.25
    last = [p for p in pauses if seconds(p.speech_end) == seconds(pauses[-1].speech_end)]
    lengths = [seconds(p.silence) for p in last]
    steps = np.diff(lengths)
    assert all(step == pytest.approx(0.2, abs=0.04) for step in steps)
    assert len({p.completion_probability for p in last}) == 1
    assert seconds(turn.end) == seconds(pauses[-1].speech_end)
    told = [k for k in kinds(events) if k != "partial"]
    assert "turn_resumed" in told
    assert told[told.index("turn_resumed") - 1] in {"pause", "eager_end_of_turn"}
    assert told[-1] == "end_of_turn"


async def test_pauses_are_told_only_when_asked_for(stub: Stub) -> None:
    assert "pause" not in kinds(await stream(stub, [config(), *audio(sentence())]))


async def test_a_finalize_is_answered_in_a_turn_and_outside_of_one(stub: Stub) -> None:
    speech = read_wav(librivox()[1].path)
    messages = [config(), FINALIZE, *audio(speech[:40_000]), FINALIZE, FINALIZE]
    events = await stream(stub, messages)
    told = [e for e in events if e.HasField("finalized") or e.HasField("end_of_turn")]
    assert kinds(told) == ["finalized", "end_of_turn", "finalized", "finalized"]
    outside, end, inside, again = told
    assert not outside.HasField("turn")
    assert not outside.finalized.turn_ended
    assert inside.finalized.turn_ended
    assert inside.turn == end.turn == 1
    assert not again.finalized.turn_ended
    assert end.end_of_turn.reason == asr_pb2.END_REASON_FINALIZED


async def test_endpointing_changes_in_mid_turn(stub: Stub) -> None:
    first, second = (read_wav(librivox()[i].path) for i in (1, 4))
    patient = Request(endpointing=asr_pb2.Endpointing(max_silence=Duration(seconds=4)))
    brisk = Request(endpointing=asr_pb2.Endpointing(max_silence=Duration(nanos=400_000_000)))
    messages = [
        config(),
        *audio(first),
        patient,
        *audio(silence(2)),
        *audio(second),
        brisk,
        *audio(silence(0.7)),
    ]
    [turn] = ends(await stream(stub, messages))
    assert {"young", "himself"} <= set(words(turn.text))
    assert turn.reason == asr_pb2.END_REASON_SILENCE


async def test_contradicting_silences_in_mid_stream_are_refused(stub: Stub) -> None:
    wrong = asr_pb2.Endpointing(min_silence=Duration(seconds=2), max_silence=Duration(seconds=1))
    error = await refused(stub, [config(), Request(endpointing=wrong)])
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


# Limits.


async def test_the_limits_are_listed(stub: Stub) -> None:
    [model] = (await stub.ListModels(asr_pb2.ListModelsRequest(), timeout=5)).models
    assert {limit.name: limit.value for limit in model.limits} == {
        "recording_seconds": 60,
        "stream_seconds": 100,
        "gap_seconds": 20,
        "streams": 3,
        "streams_per_caller": 2,
    }


async def test_a_recording_that_is_too_long_is_refused(stub: Stub) -> None:
    request = asr_pb2.RecognizeRequest(
        audio=bytes(61 * 16_000),
        format=serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_MULAW, sample_rate_hz=16_000
        ),
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(request, timeout=30)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(caught.value) == ["audio"]
    assert "60 s" in (caught.value.details() or "")


async def test_a_stream_that_gets_too_long_tells_what_was_said_and_is_refused(stub: Stub) -> None:
    heard: list[asr_pb2.StreamingRecognizeResponse] = []

    async def requests() -> AsyncIterator[Request]:
        yield config()
        for message in audio(np.concatenate([silence(97), sentence()]), 160_000):
            yield message

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for event in stub.StreamingRecognize(requests(), timeout=60):
            heard.append(event)  # noqa: PERF401 - what came before the error counts
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "100 s" in (caught.value.details() or "")
    [turn] = ends(heard)
    assert words(turn.text)


async def test_more_streams_than_allowed_are_refused_and_room_comes_back(stub: Stub) -> None:
    async def held(caller: str, over: asyncio.Event, begun: asyncio.Event) -> None:
        async def requests() -> AsyncIterator[Request]:
            yield config()
            yield FINALIZE
            await over.wait()

        sender = (("x-viva-caller", caller),)
        async for event in stub.StreamingRecognize(requests(), timeout=60, metadata=sender):
            assert event.HasField("finalized")
            begun.set()

    async def refusal(caller: str) -> str:
        sender = (("x-viva-caller", caller),)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.StreamingRecognize(timeout=60, metadata=sender).read()  # type: ignore[call-arg]
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        return caught.value.details() or ""

    for callers, refused_caller, named in (
        (("one", "one", "two"), "three", "VIVA_ASR_MAX_LIVE_STREAMS)"),
        (("one", "one"), "one", "VIVA_ASR_MAX_LIVE_STREAMS_PER_CALLER)"),
    ):
        over = asyncio.Event()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for caller in callers:
                begun = asyncio.Event()
                group.create_task(held(caller, over, begun))
                await begun.wait()
            said = await refusal(refused_caller)
            over.set()
        assert named in said
