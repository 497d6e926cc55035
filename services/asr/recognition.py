"""Whole recordings: read from disk, cut at silences, decoded in windows, several at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from services.asr.decoding import Decode
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, Window
from services.asr.engines.guards import is_invented
from services.asr.enhancement import Filter
from services.asr.language import LanguageBelief
from services.asr.margins import PRE_ROLL, TAIL
from services.asr.segmentation import LONGEST_STRETCH, Segmenter, Stretch
from services.asr.transcript import Cost, TimedWord, Transcript
from services.asr.vad import VadStream
from services.runtime.audio.decoding import Recording
from services.runtime.batching import Scheduled
from services.runtime.threads import in_thread

_AT_ONCE = 4
"""Windows of one recording in the scheduler: enough to share batches, few enough to be fair."""


@dataclass(frozen=True, slots=True)
class RecognitionConfig:
    """What to listen for; see StreamConfig."""

    languages: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    word_offsets: bool = False


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a recording says.

    Attributes:
        text: The whole text.
        segments: It in stretches of speech; those without words are left out.
        language: Language code; empty when there is no speech.
        language_confidence: None without speech, or when the caller named it.
        seconds: Length of the recording.
        cost: What it took.
    """

    text: str
    segments: tuple[Transcript, ...]
    language: str
    language_confidence: float | None
    seconds: float
    cost: Cost


def first_windows(seconds: float, config: RecognitionConfig) -> tuple[Window, Window]:
    """What the first window of a recording of so many seconds costs at most, and at least.

    Without samples, and as if all of it, or hardly any, were speech: nothing is known yet but its
    length.
    """
    longest = round(min(seconds, LONGEST_STRETCH) * SAMPLE_RATE)
    return _silent(longest, config), _silent(min(longest, PRE_ROLL + TAIL), config)


def _silent(samples: int, config: RecognitionConfig) -> Window:
    return Window(
        np.broadcast_to(np.float32(0), samples),
        languages=config.languages,
        hints=config.hints,
        word_offsets=config.word_offsets,
    )


class _Reader:
    """Reads a recording block by block and finds its stretches of speech. Blocking.

    A block a call: an hour of silence in one would keep a thread from everybody else's recordings.
    """

    def __init__(self, recording: Recording, vad: VadStream, enhance: Filter) -> None:
        self._blocks = recording.blocks()
        self._vad = vad
        self._enhance = enhance
        self._segmenter = Segmenter()
        self._samples = 0
        self._ended = False

    @property
    def seconds(self) -> float:
        return self._samples / SAMPLE_RATE

    @property
    def speaking(self) -> bool:
        return self._segmenter.speaking

    def next_stretches(self) -> list[Stretch] | None:
        """The stretches that the next block completes, often none; None after the last block."""
        if self._ended:
            return None
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
            rest = self._enhance.feed(np.zeros(0, dtype=np.float32), last=True)
            return [*self._segment(rest), *self._segmenter.finish()]
        self._samples += len(block)
        return self._segment(self._enhance.feed(block))

    def _segment(self, samples: Float32) -> list[Stretch]:
        return list(self._segmenter.feed(samples, self._vad.feed(samples)))


async def recognise(
    recording: Recording,
    config: RecognitionConfig,
    *,
    vad: VadStream,
    enhance: Filter,
    decode: Decode,
    silent: Callable[[], None],
    executor: Executor,
) -> Recognised:
    """Recognises a recording.

    Args:
        recording: The opened recording.
        config: What to listen for.
        vad: A fresh voice activity stream.
        enhance: A fresh stream's filters.
        decode: Runs a window through the model.
        silent: Called after every block that has nothing to decode, nor the beginning of it.
        executor: Where reading and voice activity run.

    Raises:
        InvalidField: The recording is damaged or truncated.
        Overloaded, DeadlineExpired: From the scheduler, perhaps in an ExceptionGroup.
    """
    reader = _Reader(recording, vad, enhance)
    named = config.languages[0] if len(config.languages) == 1 else None
    belief = LanguageBelief()
    running: deque[tuple[Stretch, asyncio.Task[Scheduled[Hypothesis]]]] = deque()
    done: list[tuple[Stretch, Scheduled[Hypothesis]]] = []

    async def collect() -> Hypothesis:
        stretch, task = running.popleft()
        scheduled = await task
        if is_invented(scheduled.value):
            scheduled = replace(scheduled, value=replace(scheduled.value, text="", words=()))
        done.append((stretch, scheduled))
        return scheduled.value

    async with asyncio.TaskGroup() as tasks:
        while (stretches := await in_thread(executor, reader.next_stretches)) is not None:
            if not stretches and not reader.speaking:
                silent()
            for stretch in stretches:
                window = Window(
                    samples=stretch.samples,
                    language=named,
                    languages=config.languages,
                    language_prior=belief.prior,
                    hints=config.hints,
                    word_offsets=config.word_offsets,
                )
                running.append((stretch, tasks.create_task(decode(window))))
                # One at a time until something is known of the language.
                if (named is None and not belief.prior) or len(running) >= _AT_ONCE:
                    heard = await collect()
                    belief.hear(heard.detected if heard.text else (), done[-1][0].seconds)
        while running:
            await collect()
    return _put_together(done, named, reader.seconds)


def _put_together(
    done: Sequence[tuple[Stretch, Scheduled[Hypothesis]]],
    named: str | None,
    seconds: float,
) -> Recognised:
    cost = Cost()
    for _, scheduled in done:
        cost = cost.plus(scheduled.queue_time, scheduled.compute_time, scheduled.batch_size)
    spoken = [(stretch, s.value) for stretch, s in done if s.value.text]
    # The stretch whose language the model itself recognised says most about it.
    guesses = [(h.language_probability, len(h.text), h.language) for _, h in spoken]
    detected = [guess for guess in guesses if guess[0] < 1.0] or guesses
    sure, _, language = max(detected, default=(0.0, 0, ""))
    return Recognised(
        text="".join(hypothesis.text for _, hypothesis in spoken).strip(),
        segments=tuple(_segment(stretch, hypothesis) for stretch, hypothesis in spoken),
        language=named if named and spoken else language,
        language_confidence=None if named or not spoken else sure,
        seconds=seconds,
        cost=cost,
    )


def _segment(stretch: Stretch, hypothesis: Hypothesis) -> Transcript:
    start, end = stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE
    offset = stretch.offset / SAMPLE_RATE

    def within(moment: float) -> float:
        return min(end, max(start, round(offset + moment, 3)))

    return Transcript(
        text=hypothesis.text.strip(),
        words=tuple(
            TimedWord(w.text.strip(), within(w.start), within(w.end), w.probability)
            for w in hypothesis.words
        ),
        language=hypothesis.language,
        language_confidence=hypothesis.language_probability,
        confidence=hypothesis.probability,
        start=start,
        end=end,
    )
