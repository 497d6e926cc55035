"""Makes `pauses.csv`: speaks the answers, draws pauses, and hears them as our server would.

    python -m services.cli.bench.endpointing.making

It adds the performances that the table lacks, and may be stopped at any time; without the file it
makes all of them anew, in an hour or so on two cores. Spoken sentences are kept in the data folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from services.cli.bench.endpointing import table
from services.cli.bench.endpointing.answers import Answer, Half, answers
from services.cli.bench.endpointing.chance import generator
from services.cli.bench.endpointing.drawing import Performance, perform
from services.cli.bench.endpointing.hearing import HeardPause
from services.cli.bench.endpointing.recordings import Listener
from services.cli.bench.endpointing.speaking import Voices, voices_of
from services.cli.bench.endpointing.table import Row
from services.cli.calls import err
from services.runtime.settings import ServerSettings

_SHORT_WORD = 0.12
"""Seconds; where a word ends is known less well than where it begins."""
DRAWS = 3
"""Performances of every answer by every voice that speaks it; the recogniser hears one of them."""


def spoken_folder() -> Path:
    """Where spoken sentences are kept."""
    return Path(os.environ.get("VIVA_SPOKEN") or ServerSettings().data_dir / "spoken")


def performances(
    voices: Voices, half: Half | None = None, known: Container[tuple[str, str]] = ()
) -> Iterator[tuple[Answer, str, int, Performance]]:
    """Every answer by its voices, in several performances: voice, number and recording.

    Args:
        voices: Who speaks.
        half: The half that is wanted; None wants both.
        known: Answers' ids and voices that are left out.
    """
    numbers: Counter[tuple[str, str]] = Counter()
    for answer in answers().values():
        kind = (answer.asked.language, answer.half)
        speakers = voices_of(answer, numbers[kind]) if half in {None, answer.half} else []
        for voice in speakers:
            if (answer.id, voice) in known:
                continue
            spoken = [voices.speak(sentence, voice) for sentence in answer.sentences]
            for draw in range(DRAWS):
                chance = generator(answer.id, voice, draw)
                yield answer, voice, draw, perform(answer, spoken, chance)
        numbers[kind] += 1


def rows(
    answer: Answer, voice: str, draw: int, spoken: Performance, listener: Listener
) -> Iterator[Row]:
    """The pauses that are heard in a performance."""
    pauses = listener.pauses(spoken.samples)
    texts: Iterable[str] = [""] * len(pauses)
    if draw == int(answer.id[-1]) % DRAWS:
        texts = listener.texts(spoken.samples, pauses, answer.asked.language)
    for pause, text in zip(pauses, texts, strict=True):
        yield Row(
            answer.id,
            voice,
            draw,
            said_until(answer, spoken, pause),
            pause.start - spoken.end if pause.length is None else 0.0,
            pause.length,
            pause.sound,
            pause.speech,
            text,
        )


def said_until(answer: Answer, spoken: Performance, pause: HeardPause) -> int:
    """How many characters of an answer had been said when a pause began."""
    if pause.length is None:
        return len(answer.text)
    said = [token for token in spoken.tokens if token.start + _SHORT_WORD / 2 < pause.start]
    return max((token.text_end for token in said), default=0)


def main() -> None:
    """Adds to the table what it lacks."""
    voices = Voices(spoken_folder())
    listener = Listener()
    found = list(table.read()) if table.FILE.is_file() else []
    known = {(row.answer, row.voice) for row in found}
    order = list(answers())
    for answer, voice, draw, spoken in performances(voices, known=known):
        found += rows(answer, voice, draw, spoken, listener)
        if draw == DRAWS - 1:
            err.print(f"[dim]{answer.id} {voice}: {len(found)} pauses[/]")
            found.sort(key=lambda row: (order.index(row.answer), row.voice, row.draw, row.speech))
            table.write(found)


if __name__ == "__main__":
    main()
