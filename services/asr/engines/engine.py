"""What a recognition engine is: windows of speech in, hypotheses out.

Engine files import nothing of the mesh but this package, so that the same code also runs inside a
Triton server's Python backend.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Hz; the rate of every window."""
MAX_WINDOW_SECONDS = 30.0
"""Whisper's receptive field (Radford et al. 2022)."""

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of speech to decode.

    Attributes:
        samples: float32 [n], mono, 16 kHz, at most 30 s.
        language: Language code ("en"); None detects it.
        languages: Where `language` is None, the codes it is detected among; empty means all.
        language_prior: Where `language` is None, what speaks for each language before the window is
            heard, as weights; the entry "" is for those not named. Empty: nothing is known.
        hints: Words and phrases that are likely to be said, the likeliest first.
        context: What was said just before.
        word_offsets: Whether to give every word its times and probability.
        final: Whether a doubtful result is worth decoding again; a preview's is not.
        attempt: How often it was decoded before; `Recognizer.again` counts.
        features: What `Recognizer.prepare` made of the samples; None until then.
    """

    samples: Float32
    language: str | None = None
    languages: tuple[str, ...] = ()
    language_prior: tuple[tuple[str, float], ...] = ()
    hints: tuple[str, ...] = ()
    context: str = ""
    word_offsets: bool = False
    final: bool = True
    attempt: int = 0
    features: Float32 | None = None

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class HypothesisWord:
    """A word of a hypothesis.

    Attributes:
        text: As written, with a leading space where the script has one, and its punctuation.
        start: Seconds from the window's start.
        end: Seconds from the window's start.
        probability: Mean probability of its tokens.
    """

    text: str
    start: float
    end: float
    probability: float


def mean_probability(words: Sequence[HypothesisWord]) -> float:
    """Geometric mean of the words' probabilities; 0 without words."""
    logs = [math.log(max(1e-6, word.probability)) for word in words]
    return math.exp(sum(logs) / len(logs)) if logs else 0.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine heard in a window.

    Attributes:
        text: As the model wrote it, leading space included; empty when it heard no speech.
        words: The text's words when asked for; their texts joined are the text.
        language: Language code, as given or as detected.
        language_probability: 1 when the language was given; else with the prior weighed in.
        probability: Mean probability of the text, 0 to 1.
        word_probability: Mean probability of its words alone, for finals of doubtful texts; None
            where it is not known.
        reliable: False when the text looks looped, breaks off early or was cut for its length. A
            preview with such a text is best ignored; a final window's was already decoded again
            and is the best there is.
        detected: What the window alone says: its likeliest languages, each with its probability,
            the likeliest first. Empty when the language was given.
    """

    text: str
    words: tuple[HypothesisWord, ...] = ()
    language: str = ""
    language_probability: float = 0.0
    probability: float = 0.0
    reliable: bool = True
    detected: tuple[tuple[str, float], ...] = ()
    word_probability: float | None = None

    @property
    def merit(self) -> tuple[bool, float]:
        """What makes one attempt's text better than another's."""
        return self.reliable, self.probability


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says about itself.

    Attributes:
        name: The model's name.
        version: The weights' version; empty when they carry none.
        engine: The engine's name.
        device: "cpu", "cuda:0", or the remote server's address.
        languages: Codes of the languages it knows.
        memory_bytes: Size of its weights; 0 when they are elsewhere.
    """

    name: str
    version: str
    engine: str
    device: str
    languages: tuple[str, ...]
    memory_bytes: int


class Recognizer(Protocol):
    """A speech recognition model."""

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        ...

    def prepare(self, window: Window) -> Window:
        """Does for a window what needs no model, so that `decode` need not. For any thread."""
        ...

    def batch_key(self, window: Window) -> Hashable:
        """Only windows with equal keys may share a call of `decode`."""
        ...

    def cost(self, window: Window) -> float:
        """The window's size in seconds of audio the model works on."""
        ...

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        """Decodes a batch once; one answer a window, in order. For the scheduler's threads."""
        ...

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        """What to decode for a better text than the best so far; None if that is good enough.

        Work of its own: it takes many times as long as the first attempt, and nobody knows
        beforehand which window needs it.

        Args:
            window: What was decoded last.
            best: Of the texts so far, the one of the greatest merit.
        """
        ...

    def close(self) -> None:
        """Releases the model."""
        ...


def decode_fully(engine: Recognizer, windows: Sequence[Window]) -> list[Hypothesis | Exception]:
    """Decodes windows of one `batch_key`, and those again where it went wrong, to the end."""
    best = list(engine.decode(windows))
    left = dict(enumerate(windows))
    while left:
        groups: dict[Hashable, dict[int, Window]] = defaultdict(dict)
        for i, window in left.items():
            heard = best[i]
            again = None if isinstance(heard, Exception) else engine.again(window, heard)
            if again is not None:
                groups[engine.batch_key(again)][i] = again
        left = {i: window for group in groups.values() for i, window in group.items()}
        for group in groups.values():
            for i, heard in zip(group, engine.decode([*group.values()]), strict=True):
                best[i] = better(best[i], heard)
    return best


def better(best: Hypothesis | Exception, other: Hypothesis | Exception) -> Hypothesis | Exception:
    """The one of the greater merit; in doubt the first."""
    if isinstance(other, Exception) or isinstance(best, Exception):
        return best
    return other if other.merit > best.merit else best
