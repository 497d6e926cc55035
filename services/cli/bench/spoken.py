"""Recordings that candidates of benchmarks answer with, and the pauses inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.cli.bench.recordings import librivox
from services.cli.bench.simulated.script import ANSWERS, length
from services.cli.sound_card import RATE_HZ, Samples, read_answer

INNER_PAUSE_SECONDS = 0.2
"""Shorter silences belong to the words: stops and the like (Heldner & Edlund 2010)."""
FRAME_SECONDS = 0.01
SPEECH_DB = -30.0
"""Below the loudest frame a recording is silent."""
JOINED_PAUSES = (0.45, 0.9, 1.4)
"""Between sentences that are read one after the other: the median of the medium pauses of
spontaneous speech, and two long ones (Campione & Véronis 2002)."""


@dataclass(frozen=True)
class Spoken:
    """An answer at `RATE_HZ`, mono.

    Attributes:
        name: What to call it.
        samples: Its sound, float32.
    """

    name: str
    samples: Samples

    @cached_property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """Begin and end of each stretch of speech, in seconds, between silences that count."""
        size = round(FRAME_SECONDS * RATE_HZ)
        frames = self.samples[: self.samples.size // size * size].reshape(-1, size)
        power = np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1))
        loud = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (SPEECH_DB / 20))
        if loud.size == 0:
            return ()
        gaps = np.flatnonzero(np.diff(loud) * FRAME_SECONDS > INNER_PAUSE_SECONDS)
        starts = loud[np.concatenate(([0], gaps + 1))]
        ends = loud[np.concatenate((gaps, [loud.size - 1]))] + 1
        return tuple(
            (float(start) * FRAME_SECONDS, float(end) * FRAME_SECONDS)
            for start, end in zip(starts, ends, strict=True)
        )

    @property
    def speech_end(self) -> float:
        """Where its speech ends, in seconds."""
        return self.stretches[-1][1]

    @property
    def pauses(self) -> tuple[tuple[float, float], ...]:
        """Begin and end of each silence inside it, in seconds."""
        stretches = self.stretches
        return tuple((one[1], other[0]) for one, other in pairwise(stretches))

    @cached_property
    def pcm(self) -> bytes:
        """16-bit samples, little-endian."""
        scaled: npt.NDArray[np.float32] = np.clip(self.samples, -1, 1) * 32767
        return scaled.astype("<i2").tobytes()


def cuts(spoken: Spoken, replies: Sequence[float]) -> int:
    """Inner pauses in which a reply began.

    Args:
        spoken: The answer.
        replies: When replies began, in seconds from the beginning of the recording.
    """
    return len(
        {
            max((n for n, (start, _) in enumerate(spoken.pauses) if start <= at), default=-1)
            for at in replies
            if at < spoken.speech_end
        }
    )


def read_spoken(path: Path) -> Spoken:
    """Reads a recording.

    Raises:
        BadRecording: It cannot be used; the message names it.
    """
    return Spoken(path.name, read_answer(path).samples)


def joined(name: str, parts: list[Spoken], pauses: tuple[float, ...]) -> Spoken:
    """Recordings one after the other, with silences of so many seconds between their speech."""
    pieces: list[Samples] = []
    for number, part in enumerate(parts):
        begin, end = (round(at * RATE_HZ) for at in (part.stretches[0][0], part.speech_end))
        if number:
            silence = round(pauses[(number - 1) % len(pauses)] * RATE_HZ)
            pieces.append(np.zeros(silence, dtype=np.float32))
        pieces.append(part.samples[begin:end])
    return Spoken(name, np.concatenate(pieces))


def people() -> list[Spoken]:
    """People reading: five sentences, and two longer answers made of them, with pauses.

    Raises:
        RecordingsUnavailableError: They cannot be fetched.
    """
    sentences = [read_spoken(recording.path) for recording in librivox()]
    return [
        *sentences,
        joined("three sentences", sentences[:3], JOINED_PAUSES),
        joined("two sentences", sentences[3:], JOINED_PAUSES[1:]),
    ]


def tones() -> list[Spoken]:
    """For a simulated recogniser, which hears that somebody speaks: each answer of its script."""
    return [
        Spoken(
            f"script {turn}",
            (0.3 * np.sign(np.sin(np.arange(round(length(turn) * RATE_HZ)) / 10))).astype(
                np.float32
            ),
        )
        for turn in range(len(ANSWERS))
    ]
