"""The table of pauses that the model is fitted on and judged by: one row a pause.

`pauses.csv` holds what was heard of the synthesised answers, of some performances with the
recogniser's own words; the texts stand in `answers_*.yaml`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("pauses.csv")
_COLUMNS = ("answer", "voice", "draw", "text_end", "lag", "length", "sound", "speech", "heard")


@dataclass(frozen=True, slots=True)
class Row:
    """A pause in a synthesised answer; times in seconds.

    Attributes:
        answer: The answer's id.
        voice: Who spoke it.
        draw: Which performance of it.
        text_end: How much of its text had been said, in characters.
        lag: How long after the last word's true end voice activity had the pause begin; 0 inside.
        length: How long the pause lasted; None at the end of the answer.
        sound: Smart Turn's probability that the turn is complete.
        speech: The answer so far, pauses included.
        heard: What Whisper base had understood of the answer by then; empty where it was not asked.
    """

    answer: str
    voice: str
    draw: int
    text_end: int
    lag: float
    length: float | None
    sound: float
    speech: float
    heard: str = ""


def write(rows: Iterable[Row], file: Path = FILE) -> None:
    """Writes a table."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows:
            length = "" if row.length is None else f"{row.length:.3f}"
            writer.writerow(
                [row.answer, row.voice, row.draw, row.text_end, f"{row.lag:.3f}", length,
                 f"{row.sound:.4f}", f"{row.speech:.2f}", row.heard]
            )  # fmt: skip


def read(file: Path = FILE) -> Sequence[Row]:
    """Reads a table."""
    with file.open(newline="", encoding="utf-8") as text:
        return [
            Row(
                row["answer"],
                row["voice"],
                int(row["draw"]),
                int(row["text_end"]),
                float(row["lag"]),
                float(row["length"]) if row["length"] else None,
                float(row["sound"]),
                float(row["speech"]),
                row["heard"],
            )
            for row in csv.DictReader(text)
        ]
