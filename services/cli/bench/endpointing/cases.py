"""The pauses of a table as the interview would meet them: words, sound, pace and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from services.cli.bench.endpointing.answers import Half, answers
from services.cli.bench.endpointing.chance import generator
from services.cli.bench.endpointing.recognised import as_recognised, said
from services.cli.bench.endpointing.table import Row
from services.interview.endpointing.moment import Asked, Pause
from services.interview.endpointing.pace import SpeakerPace


@dataclass(frozen=True, slots=True)
class Case:
    """A pause, and what was known when it began; times in seconds.

    Attributes:
        source: The recording it is of.
        pause: With no silence yet.
        asked: What was being answered.
        pace: The speaker's, by the pauses before.
        length: How long it lasted; None at the end of the answer.
        lag: How long after the true end of the answer voice activity had it begin.
    """

    source: str
    pause: Pause
    asked: Asked
    pace: SpeakerPace
    length: float | None
    lag: float


def cases(
    rows: Sequence[Row], half: Half, *, wordings: int, seed: str, written: bool = True
) -> Sequence[Case]:
    """The cases of one half, each in so many wordings as if recognised, and as `written`."""
    known = answers()
    found: list[Case] = []
    for key, group in groupby(rows, key=lambda row: (row.answer, row.voice, row.draw)):
        performance = list(group)
        if known[key[0]].half == half:
            for wording in range(0 if written else 1, wordings + 1):
                found += _performance(performance, wording, seed)
    return found


def heard_cases(rows: Sequence[Row], half: Half) -> Sequence[Case]:
    """The cases of one half that Whisper was asked about, in its own words."""
    known = answers()
    found: list[Case] = []
    for key, group in groupby(rows, key=lambda row: (row.answer, row.voice, row.draw)):
        performance = list(group)
        if known[key[0]].half == half and any(row.heard for row in performance):
            found += _performance(performance, None, "")
    return found


def _performance(rows: Sequence[Row], wording: int | None, seed: str) -> Iterator[Case]:
    """A performance in one wording: None the one heard, 0 the written one, others by chance."""
    answer = answers()[rows[0].answer]
    pace = SpeakerPace()
    for row in rows:
        text = row.heard if wording is None else said(answer, row.text_end)
        if wording:
            chance = generator(seed, wording, row.answer, row.voice, row.draw, row.text_end)
            text = as_recognised(text, chance)
        yield Case(
            f"{row.answer} {row.voice} {row.draw}",
            Pause(0.0, row.sound, text, row.speech),
            answer.asked,
            pace,
            row.length,
            row.lag,
        )
        if row.length is not None:
            pace = pace.observe(row.length)
