"""The service over the wire: real gRPC, real weights, human speech."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soundfile
from google.protobuf.duration_pb2 import Duration
from viva.asr.v1 import asr_pb2
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from tests.asr.audio import encoded, read_wav, silence, white_noise, words
from tests.asr.calls import Request, Stub, audio, chunk, config, ends, refused_file, stream
from tests.asr.conftest import serve
from tests.peak_memory import peak_measured
from tests.recordings import cards, librivox
from tests.refusals import fields

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


# Whole recordings.


@pytest.mark.parametrize(("container", "subtype"), [("WAV", None), ("FLAC", None), ("OGG", "OPUS")])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_a_recording_is_recognised(
    stub: Stub, container: str, subtype: str | None, rate: int
) -> None:
    speech = read_wav(librivox()[4].path)
    resampled = pcm.StreamResampler(16_000, rate).feed(speech, last=True)
    file = encoded(resampled, rate, container, subtype)
    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=60)
    expected = words(librivox()[4].transcript)
    assert sum(word in words(answer.text) for word in expected) >= len(expected) - 1
    assert answer.language == "en"
    assert 0.5 < answer.language_confidence <= 1
    assert answer.duration.ToTimedelta().total_seconds() == pytest.approx(3.29, abs=0.1)
    assert answer.stats.model == "whisper-base"
    assert answer.stats.batch_size >= 1
    assert answer.stats.request_id


async def test_segments_and_words_say_when(stub: Stub) -> None:
    pieces = [silence(1), read_wav(librivox()[1].path), silence(2), read_wav(librivox()[4].path)]
    file = encoded(np.concatenate(pieces), 16_000, "WAV")
    asked = asr_pb2.RecognitionConfig(word_offsets=True, languages=["en-GB"])
    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file, config=asked), timeout=60)
    first, second = answer.segments
    assert answer.text == f"{first.text} {second.text}"
    assert answer.language == "en-GB"
    assert not answer.HasField("language_confidence")
    assert first.start.ToTimedelta().total_seconds() == pytest.approx(1.3, abs=0.3)
    assert second.start.ToTimedelta().total_seconds() == pytest.approx(6.3, abs=0.4)
    for segment in answer.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        times = [
            moment.ToTimedelta() for word in segment.words for moment in (word.start, word.end)
        ]
        assert times == sorted(times)
        assert segment.start.ToTimedelta() <= times[0]
        assert times[-1] <= segment.end.ToTimedelta()


async def test_a_recording_without_speech_has_no_text(stub: Stub) -> None:
    for samples in (silence(40), white_noise(40)):
        file = encoded(samples, 16_000, "FLAC")
        answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=60)
        assert answer.text == ""
        assert not answer.segments
        assert answer.language == ""
        assert answer.duration.seconds == 40


async def test_long_speech_without_a_pause_is_cut_into_windows(stub: Stub) -> None:
    chosen = [*librivox(), *librivox()[:2]]
    together = np.concatenate([read_wav(r.path)[2_000:-3_000] for r in chosen])
    file = encoded(together, 16_000, "FLAC")
    answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=120)
    said = words(answer.text)
    expected = [word for r in chosen for word in words(r.transcript)]
    missing = sum(max(0, expected.count(word) - said.count(word)) for word in set(expected))
    assert missing / len(expected) < 0.15


async def test_a_long_file_is_heard_to_its_end_without_being_held_in_memory(stub: Stub) -> None:
    out, quiet = io.BytesIO(), 20 * 60
    speech = read_wav(librivox()[4].path)
    with soundfile.SoundFile(out, "w", 16_000, 1, format="FLAC") as long:
        for _ in range(quiet):
            long.write(silence(1))
        long.write(speech)
    file = out.getvalue()
    # What a first use loads stays.
    await stub.Recognize(
        asr_pb2.RecognizeRequest(audio=encoded(speech, 16_000, "FLAC")), timeout=60
    )
    with peak_measured() as peak:
        answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=200)
    assert answer.duration.seconds == quiet + 3
    [segment] = answer.segments
    assert "himself" in words(segment.text)
    assert segment.start.seconds == quiet
    # As numbers the samples are 73 MiB.
    assert peak.grown < 36


async def test_the_models_are_listed(stub: Stub) -> None:
    listed = await stub.ListModels(asr_pb2.ListModelsRequest(), timeout=5)
    [model] = listed.models
    assert (model.name, model.engine, model.device) == ("whisper-base", "ctranslate2", "cpu")
    assert model.ready
    assert model.is_default
    assert {"en", "zh"} <= set(model.languages)
    assert model.memory_bytes > 100_000_000


# Live streams.


async def test_a_live_stream_hears_every_turn_and_keeps_its_word(stub: Stub) -> None:
    chosen = [librivox()[i] for i in (1, 4)]
    spoken = [np.concatenate([read_wav(r.path), silence(1.2)]) for r in chosen]
    asked = asr_pb2.RecognitionConfig(word_offsets=True)
    events = await stream(stub, [config(recognition=asked), *audio(np.concatenate(spoken))])
    turns = ends(events)
    assert len(turns) == 2
    for recording, turn in zip(chosen, turns, strict=True):
        expected = words(recording.transcript)
        assert sum(word in words(turn.text) for word in expected) >= len(expected) - 2
        assert turn.reason == asr_pb2.END_REASON_SILENCE
        assert turn.language == "en"
        assert " ".join(word.text for word in turn.words) == turn.text
        assert turn.stats.model == "whisper-base"
    eager = {e.turn: e.eager_end_of_turn.text for e in events if e.HasField("eager_end_of_turn")}
    for number, turn in enumerate(turns, start=1):
        assert eager.get(number, turn.text) == turn.text


@pytest.mark.parametrize("denoise", [False, True])
async def test_silence_and_noise_yield_no_text(stub: Stub, denoise: bool) -> None:
    asked = asr_pb2.RecognitionConfig(denoise=denoise)
    for samples in (silence(30), white_noise(30), white_noise(30, level=0.3)):
        events = await stream(stub, [config(recognition=asked), *audio(samples, 16_000)])
        assert [turn.text for turn in ends(events) if turn.text] == []


@pytest.mark.parametrize(
    ("rate", "floats", "channels"), [(8_000, False, 1), (24_000, True, 2), (48_000, False, 2)]
)
async def test_raw_samples_of_any_shape_are_heard(
    stub: Stub, rate: int, floats: bool, channels: int
) -> None:
    speech = np.concatenate([read_wav(librivox()[4].path), silence(1)])
    resampled = pcm.StreamResampler(16_000, rate).feed(speech, last=True)
    samples = np.repeat(resampled[:, None], channels, axis=1)
    data = samples.tobytes() if floats else pcm.s16le_from_float(samples)
    shape = serving_pb2.AudioFormat(
        encoding=serving_pb2.AUDIO_ENCODING_PCM_F32LE
        if floats
        else serving_pb2.AUDIO_ENCODING_PCM_S16LE,
        sample_rate_hz=rate,
        channels=channels,
    )
    pieces = [chunk(data[i : i + 16_000]) for i in range(0, len(data), 16_000)]
    [turn] = ends(await stream(stub, [config(format=shape), *pieces]))
    assert "himself" in words(turn.text)


async def test_finalize_ends_the_turn_without_a_silence(stub: Stub) -> None:
    speech = read_wav(librivox()[1].path)
    finalize = Request(finalize=asr_pb2.Finalize())
    [turn, *_] = ends(await stream(stub, [config(), *audio(speech[:40_000]), finalize]))
    assert turn.reason == asr_pb2.END_REASON_FINALIZED
    assert turn.text


async def test_a_single_turn_ends_the_stream_although_the_caller_goes_on(stub: Stub) -> None:
    speech = np.concatenate([read_wav(cards()[4].path), silence(1)])
    ended = asyncio.Event()

    async def requests() -> AsyncIterator[Request]:
        yield config(single_turn=True)
        for message in audio(speech):
            yield message
        await ended.wait()

    call = stub.StreamingRecognize(requests(), timeout=60)
    events = [event async for event in call]
    ended.set()
    assert len(ends(events)) == 1


async def test_partials_can_be_left_out(stub: Stub) -> None:
    speech = np.concatenate([read_wav(librivox()[1].path), silence(1)])
    events = await stream(stub, [config(suppress_partials=True), *audio(speech)])
    assert not any(event.HasField("partial") for event in events)
    assert ends(events)[0].text


async def test_longer_silences_can_be_asked_for(stub: Stub) -> None:
    speech = [read_wav(librivox()[1].path), silence(1), read_wav(librivox()[4].path), silence(4)]
    patient = asr_pb2.Endpointing(min_silence=Duration(seconds=2), max_silence=Duration(seconds=3))
    messages = [config(endpointing=patient), *audio(np.concatenate(speech))]
    [turn] = ends(await stream(stub, messages))
    assert {"young", "himself"} <= set(words(turn.text))


async def test_streams_at_once_do_not_mix(stub: Stub) -> None:
    chosen = librivox()[1:5:3] + cards()[:1]
    spoken = [np.concatenate([read_wav(r.path), silence(1)]) for r in chosen]
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(stream(stub, [config(), *audio(s)])) for s in spoken]
    texts = [" ".join(turn.text for turn in ends(call.result())) for call in calls]
    assert "young" in words(texts[0])
    assert "himself" in words(texts[1])
    assert "himself" not in words(texts[0]) + words(texts[2])


async def test_more_models_are_served_by_name() -> None:
    async with serve(model="tiny.en", extra_models=["base"]) as two:
        listed = await two.ListModels(asr_pb2.ListModelsRequest(), timeout=5)
        assert [model.name for model in listed.models] == ["whisper-tiny.en", "whisper-base"]
        file = encoded(read_wav(librivox()[4].path), 16_000, "WAV")
        for name in ("whisper-tiny.en", "whisper-base"):
            asked = asr_pb2.RecognitionConfig(model=name)
            request = asr_pb2.RecognizeRequest(audio=file, config=asked)
            answer = await two.Recognize(request, timeout=60)
            assert answer.stats.model == name
            assert "himself" in words(answer.text)
        german = asr_pb2.RecognitionConfig(languages=["de"])
        error = await refused_file(two, asr_pb2.RecognizeRequest(audio=file, config=german))
        assert fields(error) == ["config.languages[0]"]
