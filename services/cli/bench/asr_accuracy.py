"""How much streaming costs in accuracy: each recording streamed in real time, and as a whole.

What constants were chosen on judges nothing: the constants of the recogniser were chosen on the
LibriVox clips and the voices jm_kumo, jf_alpha and flite slt. Judges are the card clips, and every
recording given with `--recordings` that is none of those.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import soundfile
from viva.asr.v1 import asr_pb2, asr_pb2_grpc

from services.cli.bench.asr_conditions import RATE, under
from services.cli.bench.frame import Figure
from services.cli.bench.recordings import Recording
from services.runtime.audio.pcm import Float32

MOST_POINTS = 2.0
"""Percentage points by which a streamed text may have more wrong words than the whole file's."""
_WHOLE_SECONDS = 600.0

_DIGIT = re.compile(r"\d")

Stream = Callable[[Float32], Awaitable[str]]
"""Streams samples in real time; the text of all turns."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A recording under a condition: its words, and how many of them each way got wrong."""

    name: str
    condition: str
    words: int
    streamed: int
    whole: int

    def __str__(self) -> str:
        streamed, whole = (100 * wrong / self.words for wrong in (self.streamed, self.whole))
        return (
            f"{self.name}, {self.condition}: streamed {streamed:.1f} %, whole {whole:.1f} %,"
            f" difference {streamed - whole:+.1f} points of {self.words} words"
        )

    @property
    def worse(self) -> bool:
        """Whether streaming cost more than it may."""
        return 100 * (self.streamed - self.whole) / self.words > MOST_POINTS


async def compare(
    stub: asr_pb2_grpc.AsrServiceAsyncStub,
    stream: Stream,
    recordings: Sequence[Recording],
    clips: Sequence[Float32],
    conditions: Sequence[str],
    at_once: int,
) -> list[Comparison]:
    """Streams every recording under every condition, some at once, and has it recognised whole."""
    places = asyncio.Semaphore(at_once)

    async def one(recording: Recording, clip: Float32, condition: str) -> Comparison:
        async with places:
            samples = await asyncio.to_thread(under, condition, clip)
            streamed = await stream(samples)
            request = asr_pb2.RecognizeRequest(audio=_wav(samples))
            whole = await stub.Recognize(request, timeout=_WHOLE_SECONDS)
        spoken, streamed_wrong = wrong_words(recording.transcript, streamed)
        _, whole_wrong = wrong_words(recording.transcript, whole.text)
        return Comparison(recording.path.stem, condition, spoken, streamed_wrong, whole_wrong)

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one(recording, clip, condition))
            for condition in conditions
            for recording, clip in zip(recordings, clips, strict=True)
        ]
    return [task.result() for task in tasks]


def figures(comparisons: Sequence[Comparison]) -> list[Figure]:
    """What streaming costs under each condition and in all, and how many recordings too much."""
    by_condition: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_condition[comparison.condition].append(comparison)
    if len(by_condition) > 1:
        by_condition["all conditions"] = list(comparisons)
    found: list[Figure] = []
    for condition, group in by_condition.items():
        words = sum(each.words for each in group)
        streamed = 100 * sum(each.streamed for each in group) / words
        whole = 100 * sum(each.whole for each in group) / words
        found += [
            Figure(f"word error rate, {condition}: streamed", streamed, "%"),
            Figure(f"word error rate, {condition}: whole file", whole, "%"),
            Figure(f"{condition}: streamed less whole", streamed - whole, "points", MOST_POINTS),
        ]
    worse = sum(each.worse for each in comparisons)
    return [*found, Figure("recordings that streaming makes worse", worse, "recordings", most=0)]


def wrong_words(transcript: str, text: str) -> tuple[int, int]:
    """How many words were said, and how many edits a text is away from them.

    Numbers count digit by digit: "five, five, eight" and "558" are the same speech.
    """
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize: Any = EnglishTextNormalizer()
    spoken, heard = (_DIGIT.sub(r" \g<0> ", normalize(each)) for each in (transcript, text))
    said = len(spoken.split())
    if not heard:
        return said, said
    edits = jiwer.process_words(spoken, heard)
    return said, edits.substitutions + edits.deletions + edits.insertions


def _wav(samples: Float32) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
