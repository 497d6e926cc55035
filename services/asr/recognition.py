"""Whole recordings: read from disk, cut at silences, decoded in windows, several at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from services.asr.decoding import Decode
from services.asr.denoising import SpectralGate
from services.asr.engines.engine import SAMPLE_RATE, Hypothesis, Window
from services.asr.segmentation import Segmenter, Stretch
from services.asr.transcript import Cost, TimedWord, Transcript
from services.asr.vad import VadStream
from services.runtime.audio.decoding import Recording
from services.runtime.batching import Scheduled
from services.runtime.threads import in_thread

_AT_ONCE = 4
"""Windows of one recording in the scheduler: enough to share batches, few enough to be fair."""
_SURE_LANGUAGE = 0.8
_SURE_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class RecognitionConfig:
    """What to listen for; see StreamConfig."""

    languages: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    word_offsets: bool = False
    denoise: bool = False


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


class _Reader:
    """Reads a recording block by block and finds its stretches of speech. Blocking.

    A block a call: an hour of silence in one would keep a thread from everybody else's recordings.
    """

    def __init__(self, recording: Recording, vad: VadStream, *, denoise: bool) -> None:
        self._blocks = recording.blocks()
        self._vad = vad
        self._gate = SpectralGate() if denoise else None
        self._segmenter = Segmenter()
        self._samples = 0
        self._ended = False

    @property
    def seconds(self) -> float:
        return self._samples / SAMPLE_RATE

    def next_stretches(self) -> list[Stretch] | None:
        """The stretches that the next block completes, often none; None after the last block."""
        if self._ended:
            return None
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
            return list(self._segmenter.finish())
        self._samples += len(block)
        samples = self._gate.feed(block) if self._gate else block
        return list(self._segmenter.feed(samples, self._vad.feed(samples)))


async def recognise(
    recording: Recording,
    config: RecognitionConfig,
    *,
    vad: VadStream,
    decode: Decode,
    executor: Executor,
) -> Recognised:
    """Recognises a recording.

    Args:
        recording: The opened recording.
        config: What to listen for.
        vad: A fresh voice activity stream.
        decode: Runs a window through the model.
        executor: Where reading and voice activity run.

    Raises:
        InvalidField: The recording is damaged or truncated.
        Overloaded, DeadlineExpired: From the scheduler, perhaps in an ExceptionGroup.
    """
    reader = _Reader(recording, vad, denoise=config.denoise)
    named = config.languages[0] if len(config.languages) == 1 else None
    language = named
    running: deque[tuple[Stretch, asyncio.Task[Scheduled[Hypothesis]]]] = deque()
    done: list[tuple[Stretch, Scheduled[Hypothesis]]] = []

    async def collect() -> Hypothesis:
        stretch, task = running.popleft()
        scheduled = await task
        done.append((stretch, scheduled))
        return scheduled.value

    async with asyncio.TaskGroup() as tasks:
        while (stretches := await in_thread(executor, reader.next_stretches)) is not None:
            for stretch in stretches:
                window = Window(
                    samples=stretch.samples,
                    language=language,
                    languages=config.languages,
                    hints=config.hints,
                    word_offsets=config.word_offsets,
                )
                running.append((stretch, tasks.create_task(decode(window))))
                if language is None:
                    # One at a time until the language is known: the others then need not guess.
                    language = _sure_language(window, await collect())
                elif len(running) >= _AT_ONCE:
                    await collect()
        while running:
            await collect()
    return _put_together(done, named, reader.seconds)


def _sure_language(window: Window, hypothesis: Hypothesis) -> str | None:
    sure = hypothesis.language_probability >= _SURE_LANGUAGE and window.seconds >= _SURE_AFTER
    return hypothesis.language if sure and hypothesis.text else None


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
