"""Speech: how quick, how soon, how well understood, how even."""

from __future__ import annotations

import asyncio
import re
import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.tts_sentences import BY_LANGUAGE
from services.runtime.audio.pcm import Float32, float_from_s16le, s16le_from_float
from services.runtime.channel import open_channel, outgoing

MOST_REALTIME = 0.3
MOST_WER = 0.08
MOST_CER = 0.08
_CALL_SECONDS = 120.0


@dataclass
class _Said:
    """One line as it came over the wire. Times in seconds."""

    first_audio: float = 0.0
    total: float = 0.0
    seconds: float = 0.0
    compute: float = 0.0
    model: str = ""
    rate: int = 0
    samples: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    phrases: list[tuple[float, float]] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)


async def run(
    address: str,
    voice: str | None = None,
    asr: str | None = None,
    lines: int | None = None,
    streams: int = 8,
    language: str = "en",
) -> BenchResult:
    """Speaks interview sentences and measures.

    Args:
        address: The mesh listener, or the server itself.
        voice: Whose; None measures the default voice.
        asr: The ASR server that judges; None takes the one behind `address`.
        lines: How many of the sentences; None for all.
        streams: Callers at the same time, for first audio under load.
        language: "en" or "zh".
    """
    sentences = BY_LANGUAGE[language][:lines]
    async with open_channel(address) as channel, open_channel(asr or address) as judge:
        tts = tts_pb2_grpc.TtsServiceStub(channel)
        await _say(tts, sentences[0], voice)
        said = [await _say(tts, _fresh(line), voice) for line in sentences]
        plain = [await _say(tts, line, voice) for line in sentences]
        again = [await _say(tts, line, voice) for line in sentences]
        crowd = await asyncio.gather(
            *(_say(tts, _fresh(sentences[n % len(sentences)]), voice) for n in range(streams))
        )
        # One text of many phrases, for what happens between them.
        whole = await _say(tts, " ".join(sentences[:8]), voice)
        heard, asr_model = await _heard(asr_pb2_grpc.AsrServiceStub(judge), language, plain)
    rate, errors = ERRORS[language]
    of_default = voice is None and language == "en"
    most = MOST_CER if language == "zh" else MOST_WER if of_default else None
    spoken = sum(line.seconds for line in said)
    levels = [_level(line) for line in plain]
    pumping = [_level(_part(whole, start, end)) for start, end in whole.phrases if end - start > 1]
    first = [1000 * line.first_audio for line in said]
    return BenchResult(
        "tts",
        [
            Figure(
                "time per second of speech",
                sum(line.total for line in said) / spoken,
                "s",
                most=MOST_REALTIME if of_default else None,
            ),
            Figure("model time per second of speech", sum(x.compute for x in said) / spoken, "s"),
            Figure("first audio p50", percentile(first, 50), "ms"),
            Figure("first audio p95", percentile(first, 95), "ms"),
            Figure(
                f"first audio p95, {streams} streams",
                percentile([1000 * line.first_audio for line in crowd], 95),
                "ms",
            ),
            Figure("first audio from the cache p50", _p50_ms(again), "ms"),
            Figure(rate, errors(sentences, heard), "", most=most),
            Figure("level of speech", statistics.mean(levels), "dBFS"),
            Figure("level spread between lines", statistics.pstdev(levels), "dB"),
            Figure("level spread between phrases of a text", statistics.pstdev(pumping), "dB"),
            Figure("gap between phrases p50", 1000 * percentile(whole.gaps, 50), "ms"),
            Figure("gap between phrases, longest", 1000 * max(whole.gaps), "ms"),
        ],
        models={"tts": said[0].model, "asr": asr_model},
        notes=[
            (
                f"{len(sentences)} interview sentences, {spoken:.0f} s of speech, one at a time;"
                " compared without punctuation, numbers alike"
            )
        ],
    )


def _fresh(line: str) -> str:
    """A line no cache has heard: each phrase gets its own word."""
    if "，" in line or " " not in line:
        number = "".join(secrets.choice("一二三四五六七八九") for _ in range(4))
        return f"{line[:-1].replace('，', f'{number}，')}{number}{line[-1]}"
    tag = "".join(secrets.choice("bdfgklmnprst") + secrets.choice("aeiou") for _ in range(2))
    parts = line[:-1].replace(",", f" {tag},").replace(";", f" {tag};").split(" ")
    parts.insert(3, tag)
    return f"{' '.join(parts)} {tag}{line[-1]}"


def _p50_ms(lines: Sequence[_Said]) -> float:
    return percentile([1000 * line.first_audio for line in lines], 50)


async def _say(stub: tts_pb2_grpc.TtsServiceAsyncStub, line: str, voice: str | None) -> _Said:
    config = tts_pb2.SpeechConfig(voice=voice) if voice else tts_pb2.SpeechConfig()
    started = time.perf_counter()
    said = _Said()
    audio: list[bytes] = []
    ends: dict[int, tuple[float, float]] = {}
    call = stub.Synthesize(
        tts_pb2.SynthesizeRequest(text=line, config=config), **outgoing(_CALL_SECONDS)
    )
    async for message in call:
        match message.WhichOneof("message"):
            case "chunk":
                chunk = message.chunk
                if not audio:
                    said.first_audio = time.perf_counter() - started
                    said.rate = chunk.format.sample_rate_hz
                audio.append(chunk.audio)
                if chunk.words:
                    first, last = chunk.words[0].start, chunk.words[-1].end
                    ends[chunk.phrase] = (
                        first.ToMicroseconds() / 1e6,
                        last.ToMicroseconds() / 1e6,
                    )
            case "done":
                said.seconds = message.done.duration.ToMicroseconds() / 1e6
                said.compute = message.done.stats.compute_time.ToMicroseconds() / 1e6
                said.model = message.done.stats.model
    said.total = time.perf_counter() - started
    said.samples = float_from_s16le(b"".join(audio))
    said.phrases = [ends[phrase] for phrase in sorted(ends)]
    said.gaps = [
        _silence(said, before[1] - 0.3, after[0] + 0.3)
        for before, after in zip(said.phrases, said.phrases[1:], strict=False)
    ]
    return said


def _part(line: _Said, start: float, end: float) -> _Said:
    samples = line.samples[round(start * line.rate) : round(end * line.rate)]
    return _Said(rate=line.rate, samples=samples)


def _silence(line: _Said, start: float, end: float) -> float:
    """The longest stretch under -50 dBFS between two times, in seconds."""
    frame = max(1, line.rate // 100)
    part = _part(line, max(0.0, start), end).samples
    rows = part[: len(part) // frame * frame].reshape(-1, frame)
    longest = run_length = 0
    for quiet in np.sqrt(np.mean(rows**2, axis=1)) < 10 ** (-50 / 20):
        run_length = run_length + 1 if quiet else 0
        longest = max(longest, run_length)
    return longest / 100


def _level(line: _Said) -> float:
    """Mean power of what is not silence, in dB: enough to compare lines of one voice."""
    frame = max(1, line.rate // 10)
    rows = line.samples[: len(line.samples) // frame * frame].reshape(-1, frame)
    power = np.mean(rows**2, axis=1)
    loud = power[power > power.max() * 10**-2.5]
    return float(10 * np.log10(loud.mean()))


async def _heard(
    stub: asr_pb2_grpc.AsrServiceAsyncStub, language: str, said: Sequence[_Said]
) -> tuple[list[str], str]:
    """What the recogniser understood of each line, and its model."""
    heard = []
    model = ""
    for line in said:
        answer = await stub.Recognize(
            asr_pb2.RecognizeRequest(
                config=asr_pb2.RecognitionConfig(languages=[language]),
                format=serving_pb2.AudioFormat(
                    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=line.rate
                ),
                audio=s16le_from_float(line.samples),
            ),
            **outgoing(_CALL_SECONDS),
        )
        heard.append(answer.text)
        model = answer.stats.model
    return heard, model


def _word_errors(written: Sequence[str], heard: Sequence[str]) -> float:
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normal = EnglishTextNormalizer()
    return float(jiwer.wer([*map(normal, written)], [*map(normal, heard)]))


def _character_errors(written: Sequence[str], heard: Sequence[str]) -> float:
    import jiwer

    return float(jiwer.cer([*map(_plain, written)], [*map(_plain, heard)]))


_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")


def _plain(line: str) -> str:
    return re.sub(r"[\W_]", "", line).translate(_DIGITS).lower()


ERRORS: Mapping[str, tuple[str, Callable[[Sequence[str], Sequence[str]], float]]] = {
    "en": ("word error rate", _word_errors),
    "zh": ("character error rate", _character_errors),
}
"""What is told of a language's voices, and how it is counted."""
