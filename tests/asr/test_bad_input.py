"""What the service refuses or puts up with, and how it says so. Other callers never notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from viva.asr.v1 import asr_pb2
from viva.serving.v1 import serving_pb2

from services.runtime import metrics
from services.runtime.audio import pcm
from tests.asr.audio import encoded, read_wav, silence, white_noise, words
from tests.asr.calls import (
    RAW,
    Request,
    Stub,
    audio,
    chunk,
    config,
    ends,
    refused,
    refused_file,
    stream,
)
from tests.asr.conftest import serve
from tests.peak_memory import peak_measured
from tests.recordings import librivox
from tests.refusals import fields

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until(condition: Callable[[], bool]) -> None:
    """Waits for the server's side of what the client did."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - no event comes
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"audio": b""}, "audio"),
        ({"audio": b"no audio at all"}, "audio"),
        ({"audio": encoded(silence(0), 16_000, "WAV")}, "audio"),
        ({"audio": encoded(white_noise(1), 16_000, "WAV")[:9_000]}, "audio"),
        ({"audio": encoded(white_noise(1), 16_000, "FLAC")[:9_000]}, "audio"),
        ({"audio": encoded(white_noise(1), 16_000, "OGG", "OPUS")[:3_000]}, "audio"),
        (
            {"audio": encoded(silence(1), 16_000, "WAV"), "format": RAW},
            "format.encoding",
        ),
        (
            {"audio": bytes(99), "format": RAW},
            "audio",
        ),
        (
            {
                "audio": encoded(silence(1), 16_000, "WAV"),
                "format": serving_pb2.AudioFormat(sample_rate_hz=44_100),
            },
            "format.sample_rate_hz",
        ),
        (
            {
                "audio": encoded(silence(1), 16_000, "FLAC"),
                "format": serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_WAV),
            },
            "format.encoding",
        ),
        (
            {"audio": b"\0\0" * 99, "format": serving_pb2.AudioFormat(sample_rate_hz=4_000)},
            "format.sample_rate_hz",
        ),
        (
            {
                "audio": encoded(silence(1), 16_000, "WAV"),
                "config": asr_pb2.RecognitionConfig(languages=["tlh"]),
            },
            "config.languages[0]",
        ),
        (
            {
                "audio": encoded(silence(1), 16_000, "WAV"),
                "config": asr_pb2.RecognitionConfig(languages=["not a tag"]),
            },
            "config.languages[0]",
        ),
        (
            {
                "audio": encoded(silence(1), 16_000, "WAV"),
                "config": asr_pb2.RecognitionConfig(
                    phrase_hints=[asr_pb2.PhraseHint(phrase="x")] * 101
                ),
            },
            "config.phrase_hints",
        ),
    ],
)
async def test_a_bad_recording_is_refused_by_field(
    stub: Stub, request_fields: dict[str, object], field: str
) -> None:
    request = asr_pb2.RecognizeRequest(**request_fields)  # type: ignore[arg-type]
    error = await refused_file(stub, request)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in fields(error)


async def test_an_unknown_model_is_not_found(stub: Stub) -> None:
    asked = asr_pb2.RecognitionConfig(model="gpt")
    file = encoded(silence(1), 16_000, "WAV")
    error = await refused_file(stub, asr_pb2.RecognizeRequest(audio=file, config=asked))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert fields(error) == ["config.model"]
    error = await refused(stub, [config(recognition=asked)])
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert fields(error) == ["config.recognition.model"]


@pytest.mark.slow
async def test_hints_may_be_any_text(stub: Stub) -> None:
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    hints = [
        "😀👍🏽",
        "\x00\x07\x1b",
        "用Python写的 API",
        "<|startoftranscript|>",
        *["x" * 100] * 96,
    ]
    asked = asr_pb2.RecognitionConfig(
        languages=["en"], phrase_hints=[asr_pb2.PhraseHint(phrase=phrase) for phrase in hints]
    )
    file = encoded(speech, 16_000, "WAV")
    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file, config=asked), timeout=60)
    [turn] = ends(await stream(stub, [config(recognition=asked), *audio(speech)]))
    assert answer.segments
    assert turn.reason == asr_pb2.END_REASON_SILENCE


@pytest.mark.slow
async def test_clipped_speech_is_still_understood(stub: Stub) -> None:
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    loud = speech * np.float32(1.0 / np.abs(speech).max()) * 6
    assert np.mean(np.abs(loud) > 1) > 0.05
    clipped = encoded(np.clip(loud, -1, 1), 16_000, "WAV")
    # Floats may go beyond full scale, and may not even be numbers.
    beyond = loud.copy()
    beyond[[0, 20_000]] = np.nan, np.inf
    floats = serving_pb2.AudioFormat(
        encoding=serving_pb2.AUDIO_ENCODING_PCM_F32LE, sample_rate_hz=16_000
    )
    pieces = [chunk(beyond[i : i + 4_000].tobytes()) for i in range(0, len(beyond), 4_000)]

    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=clipped), timeout=60)
    raw = asr_pb2.RecognizeRequest(audio=beyond.tobytes(), format=floats)
    of_floats = await stub.Recognize(raw, timeout=60)
    [turn] = ends(await stream(stub, [config(format=floats), *pieces]))

    for text in (answer.text, of_floats.text, turn.text):
        assert "himself" in words(text)


@pytest.mark.slow
@pytest.mark.parametrize("said", [8_000, 48_000])
async def test_a_wrong_rate_of_raw_samples_harms_nobody_else(stub: Stub, said: int) -> None:
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    wrong = serving_pb2.AudioFormat(
        encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=said
    )
    raw = asr_pb2.RecognizeRequest(audio=pcm.s16le_from_float(speech), format=wrong)
    call = stub.Recognize(raw, timeout=60)
    async with asyncio.TaskGroup() as group:
        wrong_stream = group.create_task(stream(stub, [config(format=wrong), *audio(speech)]))
        other = group.create_task(stream(stub, [config(), *audio(speech)]))
    # Nobody can know; what is heard is as long as it would be at that rate.
    length = (await call).duration.ToTimedelta().total_seconds()
    assert length == pytest.approx(len(speech) / said, abs=0.01)
    assert all(turn.end.ToMilliseconds() <= length * 1000 for turn in ends(wrong_stream.result()))
    assert "himself" in words(ends(other.result())[0].text)


@pytest.mark.parametrize(("container", "subtype"), [("WAV", None), ("FLAC", None), ("OGG", "OPUS")])
async def test_a_file_sent_as_raw_samples_is_told_so(
    stub: Stub, container: str, subtype: str | None
) -> None:
    file = encoded(read_wav(librivox()[4].path), 16_000, container, subtype)
    error = await refused(stub, [config(), chunk(file[:3_200])])
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["config.format.encoding"]


@pytest.mark.slow
async def test_a_long_stream_is_heard_to_its_end_without_being_kept(stub: Stub) -> None:
    quiet, pieces = chunk(bytes(1 << 20)), 48
    speech = audio(np.concatenate([read_wav(librivox()[4].path), silence(1)]))
    heard: list[asr_pb2.EndOfTurn] = []

    async def requests() -> AsyncIterator[Request]:
        yield config()
        for _ in range(pieces):
            yield quiet
        for message in speech:
            yield message

    # What a first use loads stays.
    ends(await stream(stub, [config(), *speech]))
    with peak_measured() as peak:
        async for event in stub.StreamingRecognize(requests(), timeout=200):
            if event.HasField("end_of_turn"):
                heard.append(event.end_of_turn)  # noqa: PERF401 - the events are not all of a kind

    [turn] = heard
    assert "himself" in words(turn.text)
    assert turn.start.seconds >= pieces * (1 << 19) // 16_000
    # The samples are as many MiB as there are pieces, beside 40 of the way through the server.
    assert peak.grown < 64


@pytest.mark.slow
async def test_long_recordings_hold_no_stream_up(stub: Stub) -> None:
    hour = asr_pb2.RecognizeRequest(audio=encoded(silence(3600), 16_000, "FLAC"))
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    running = metrics.CALLS_RUNNING.labels("/viva.asr.v1.AsrService/Recognize")
    recordings = [stub.Recognize(hour, timeout=200) for _ in range(4)]
    await until(lambda: running._value.get() == 4)

    [turn] = ends(await stream(stub, [config(), *audio(speech)]))

    assert "himself" in words(turn.text)
    assert not any(call.done() for call in recordings)
    for call in recordings:
        call.cancel()
    await until(lambda: running._value.get() == 0)


@pytest.mark.parametrize("limit", [-1.0, 0.0, 1e-6])
async def test_a_deadline_that_passed_is_told_at_once(stub: Stub, limit: float) -> None:
    file = encoded(read_wav(librivox()[0].path), 16_000, "WAV")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=limit)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert await _end_of_held(stub, [], limit) == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("speech", [[], audio(silence(1))], ids=["config alone", "silence"])
async def test_a_deadline_that_passes_in_mid_stream_ends_the_stream(
    stub: Stub, speech: list[Request]
) -> None:
    running = metrics.CALLS_RUNNING.labels("/viva.asr.v1.AsrService/StreamingRecognize")
    code = await _end_of_held(stub, [config(), *speech], limit=0.5)
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: running._value.get() == 0)


async def _end_of_held(stub: Stub, messages: list[Request], limit: float) -> grpc.StatusCode:
    """How a stream ends whose caller says this and then neither goes on nor closes it."""
    ended = asyncio.Event()

    async def requests() -> AsyncIterator[Request]:
        for message in messages:
            yield message
        await ended.wait()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.StreamingRecognize(requests(), timeout=limit):
            pass
    # The client's side of grpc.aio does not end an iterator that waits.
    ended.set()
    return caught.value.code()


async def test_a_deadline_that_cannot_be_met_is_refused(stub: Stub) -> None:
    file = encoded(np.tile(read_wav(librivox()[0].path), 20), 16_000, "WAV")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=0.4)
    assert caught.value.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }


async def test_a_stream_without_anything_is_refused(stub: Stub) -> None:
    error = await refused(stub, [])
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error) == ["config"]


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        (audio(silence(0.1)), "config"),
        ([Request(finalize=asr_pb2.Finalize())], "config"),
        ([config(), config()], "config"),
        ([config(), *audio(silence(0.1)), config()], "config"),
        ([config(), chunk(b"\0" * 5)], "audio"),
        ([config(), chunk(b"")], "audio"),
        ([config(), chunk(b"\0" * 1_048_578)], "audio"),
        ([config(), Request()], "message"),
        (
            [config(recognition=asr_pb2.RecognitionConfig(languages=["tlh"]))],
            "config.recognition.languages",
        ),
        ([config(format=serving_pb2.AudioFormat(sample_rate_hz=4_000))], "config.format"),
        ([config(format=serving_pb2.AudioFormat())], "config.format"),
        (
            [
                config(
                    format=serving_pb2.AudioFormat(
                        encoding=serving_pb2.AUDIO_ENCODING_WAV, sample_rate_hz=16_000
                    )
                )
            ],
            "config.format",
        ),
        (
            [
                config(
                    endpointing=asr_pb2.Endpointing(
                        min_silence=Duration(seconds=2), max_silence=Duration(seconds=1)
                    )
                )
            ],
            "config.endpointing",
        ),
    ],
)
async def test_a_bad_stream_is_refused_by_field(
    stub: Stub, messages: list[Request], field: str
) -> None:
    error = await refused(stub, messages)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert any(named.startswith(field) for named in fields(error)), fields(error)


async def test_a_client_that_vanishes_leaves_nothing_and_disturbs_nobody(stub: Stub) -> None:
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    tasks = metrics.CALLS_RUNNING.labels("/viva.asr.v1.AsrService/StreamingRecognize")

    async def vanish() -> None:
        async def requests() -> AsyncIterator[Request]:
            yield config()
            for message in audio(speech[:30_000]):
                yield message
            await asyncio.Event().wait()

        call = stub.StreamingRecognize(requests())
        async for event in call:
            if event.HasField("speech_started"):
                break
        call.cancel()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(vanish())
        other = group.create_task(stream(stub, [config(), *audio(speech)]))
    assert "himself" in words(ends(other.result())[0].text)
    await until(lambda: tasks._value.get() == 0)
    assert not [t for t in asyncio.all_tasks() if t.get_name() == "asr-session"]


@pytest.mark.slow
async def test_a_message_over_the_limit_is_refused() -> None:
    async with serve(max_message_bytes=100_000) as small:
        file = encoded(white_noise(10), 16_000, "WAV")
        error = await refused_file(small, asr_pb2.RecognizeRequest(audio=file))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        short = encoded(silence(1), 16_000, "WAV")
        await small.Recognize(asr_pb2.RecognizeRequest(audio=short), timeout=30)
        error = await refused(small, [config(), chunk(bytes(200_000))])
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await stream(small, [config(), *audio(silence(1))])
