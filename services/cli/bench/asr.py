"""How good and how fast recognition is: human recordings streamed in real time, silence, noise."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench import asr_accuracy
from services.cli.bench.asr_conditions import CONDITIONS, folder_of_recordings
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.recordings import Recording, cards, librivox
from services.runtime.audio import pcm
from services.runtime.audio.decoding import open_recording
from services.runtime.channel import open_channel
from services.runtime.settings import default_data_dir
from services.runtime.stats import seconds

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

    from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2

_RATE = 16_000
_PIECE_SECONDS = 0.04
_SILENCE_SECONDS = 1.5
_THREADS = 2
_BYTES_PER_SECOND = 2 * _RATE
_FORMAT = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=_RATE
)
_PACKAGED = {"whisper-base": "base", "whisper-tiny.en": "tiny.en"}


@dataclass(frozen=True, slots=True)
class _Heard:
    """A clip as it was heard: its text, and milliseconds for each of its turns.

    `after_speech` counts from the last speech, as the server found it, to the final text.
    """

    text: str
    finalization: list[float]
    after_speech: list[float]


async def run(
    address: str,
    repeats: int = 3,
    noise_minutes: float = 10.0,
    folder: Path | None = None,
    conditions: Sequence[str] = CONDITIONS,
    at_once: int = 1,
) -> BenchResult:
    """Streams recordings in real time; compares with them whole, and with faster-whisper.

    Args:
        address: The mesh listener, or the recognition server itself.
        repeats: How often each recording is streamed.
        noise_minutes: Length of each stretch of silence and noise, sent as fast as it is taken.
        folder: Somebody's recordings with their transcripts; None takes the packaged ones.
        conditions: Those of asr_conditions.CONDITIONS to stream each recording under.
        at_once: Recordings streamed at the same time for that.

    Raises:
        LookupError: The folder is not as it should be.
    """
    recordings = folder_of_recordings(folder) if folder else [*librivox(), *cards()]
    clips = [await asyncio.to_thread(_samples, recording.path) for recording in recordings]
    async with open_channel(address) as channel:
        stub = asr_pb2_grpc.AsrServiceStub(channel)
        listed = await stub.ListModels(asr_pb2.ListModelsRequest(), timeout=10)
        model = listed.models[0].name
        await _stream(stub, clips[0], paced=False)
        heard = [[await _stream(stub, clip, paced=True) for clip in clips] for _ in range(repeats)]
        written = {
            name: sum([len(turn) for turn in await _texts(stub, name, noise_minutes)])
            for name in ("silence", "white noise", "pink noise", "loud white noise")
        }
        compared: list[asr_accuracy.Comparison] = []
        if importlib.util.find_spec("jiwer") is not None:
            compared = await asr_accuracy.compare(
                stub, partial(_text, stub), recordings, clips, conditions, at_once
            )
    streamed = [clip for turn in heard for clip in turn]
    finalization = [value for clip in streamed for value in clip.finalization]
    after_speech = [value for clip in streamed for value in clip.after_speech]
    figures = [
        Figure("end-of-turn decision to final text, p50", percentile(finalization, 50), "ms", 50),
        Figure("end-of-turn decision to final text, p95", percentile(finalization, 95), "ms"),
        Figure("end of speech to final text, p50", percentile(after_speech, 50), "ms"),
        Figure("end of speech to final text, p95", percentile(after_speech, 95), "ms"),
    ]
    length = sum(map(len, clips)) / _RATE
    notes = [
        f"{len(clips)} recordings, {length:.0f} s, {repeats} times in real time",
        *map(str, compared),
    ]
    if model in _PACKAGED:
        figures += await asyncio.to_thread(_against_offline, model, recordings, clips, heard)
    else:
        notes.append("no comparison with faster-whisper: the model's weights are not packaged")
    figures += asr_accuracy.figures(compared) if compared else []
    figures += [
        Figure(f"text on {noise_minutes:g} min of {name}", count, "characters", most=0)
        for name, count in written.items()
    ]
    return BenchResult("asr", figures, {"asr": model}, notes)


def _samples(path: Path) -> pcm.Float32:
    with open_recording(path.read_bytes(), serving_pb2.AudioFormat(), target_hz=_RATE) as recording:
        return np.concatenate(list(recording.blocks()))


async def _stream(
    stub: asr_pb2_grpc.AsrServiceAsyncStub, clip: pcm.Float32, *, paced: bool
) -> _Heard:
    silence = np.zeros(round(_SILENCE_SECONDS * _RATE), dtype=np.float32)
    data = pcm.s16le_from_float(np.concatenate((clip, silence)))
    size = round(_PIECE_SECONDS * _RATE) * 2
    started = 0.0

    async def requests() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
        nonlocal started
        yield _config()
        started = time.perf_counter()
        for position in range(0, len(data), size):
            piece = data[position : position + size]
            if paced:
                # A piece is there when its last sample has been spoken.
                due = started + (position + len(piece)) / _BYTES_PER_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield _audio(piece)

    texts: list[str] = []
    finalization: list[float] = []
    after_speech: list[float] = []
    async for event in stub.StreamingRecognize(requests(), timeout=_timeout(clip)):
        if event.HasField("end_of_turn"):
            turn = event.end_of_turn
            texts.append(turn.text)
            finalization.append(1000 * seconds(turn.finalization))
            after_speech.append(1000 * (time.perf_counter() - started - seconds(turn.end)))
    return _Heard(" ".join(texts), finalization, after_speech)


def _timeout(clip: pcm.Float32) -> float:
    return 120.0 + 4 * len(clip) / _RATE


async def _text(stub: asr_pb2_grpc.AsrServiceAsyncStub, clip: pcm.Float32) -> str:
    return (await _stream(stub, clip, paced=True)).text


def _config() -> asr_pb2.StreamingRecognizeRequest:
    return asr_pb2.StreamingRecognizeRequest(
        config=asr_pb2.StreamingRecognitionConfig(format=_FORMAT)
    )


def _audio(samples: bytes) -> asr_pb2.StreamingRecognizeRequest:
    return asr_pb2.StreamingRecognizeRequest(audio=serving_pb2.AudioChunk(audio=samples))


async def _texts(
    stub: asr_pb2_grpc.AsrServiceAsyncStub, kind: str, minutes: float
) -> Sequence[str]:
    async def requests() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
        yield _config()
        generator = np.random.default_rng(20)
        for _ in range(round(minutes * 60)):
            samples = await asyncio.to_thread(_noise, kind, generator)
            yield _audio(pcm.s16le_from_float(samples))

    call = stub.StreamingRecognize(requests(), timeout=60 * minutes)
    return [e.end_of_turn.text async for e in call if e.HasField("end_of_turn")]


def _noise(kind: str, generator: np.random.Generator) -> pcm.Float32:
    """A second of it."""
    white = generator.normal(0, 1, _RATE)
    match kind:
        case "silence":
            white *= 0
        case "pink noise":
            # Power falls with 1/f.
            spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(_RATE // 2 + 1)))
            white = np.fft.irfft(spectrum)
            white *= 0.1 / np.std(white)
        case "loud white noise":
            white *= 0.3
        case _:
            white *= 0.03
    return np.clip(white, -1, 1).astype(np.float32)


def _against_offline(
    model: str,
    recordings: Sequence[Recording],
    clips: Sequence[pcm.Float32],
    heard: Sequence[Sequence[_Heard]],
) -> list[Figure]:
    from faster_whisper import WhisperModel

    from services.asr.engines.selection import weights
    from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2

    folder, _ = weights(_PACKAGED[model], default_data_dir())
    whisper = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=_THREADS)
    engine = WhisperCTranslate2(folder, name=model, threads=_THREADS)
    figures = [_window_ratio(engine, whisper, clips[0])]
    engine.close()
    if importlib.util.find_spec("jiwer") is None:
        return figures
    offline = [
        " ".join(segment.text.strip() for segment in whisper.transcribe(clip)[0]) for clip in clips
    ]
    transcripts = [recording.transcript for recording in recordings]
    reference = _word_error_rate(transcripts, offline)
    streamed = statistics.mean(
        _word_error_rate(transcripts, [clip.text for clip in turn]) for turn in heard
    )
    return [
        *figures,
        Figure("word error rate, streamed", streamed, "%"),
        Figure("word error rate, faster-whisper offline", reference, "%"),
        Figure("streamed less offline", streamed - reference, "points", most=2.0),
    ]


def _window_ratio(engine: WhisperCTranslate2, whisper: WhisperModel, clip: pcm.Float32) -> Figure:
    """Five seconds decoded as a preview, over the same by faster-whisper, which pads to 30 s."""
    from services.asr.engines.engine import Window

    speech = clip[: 5 * _RATE]

    def short() -> None:
        engine.decode([Window(speech, language="en", final=False)])

    def full() -> None:
        list(whisper.transcribe(speech, language="en", beam_size=1, temperature=0.0)[0])

    ratios: list[float] = []
    for _ in range(7):
        times = []
        for work in (short, full):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        ratios.append(times[0] / times[1])
    # The first pair warms both up.
    return Figure(
        "decode of 5 s / decode of a full window", statistics.median(ratios[1:]), "x", most=0.5
    )


def _word_error_rate(transcripts: Sequence[str], texts: Sequence[str]) -> float:
    counts = [asr_accuracy.wrong_words(*pair) for pair in zip(transcripts, texts, strict=True)]
    return 100 * sum(wrong for _, wrong in counts) / sum(words for words, _ in counts)
