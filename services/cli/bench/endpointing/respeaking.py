"""Judged answers spoken again, and what the recogniser itself makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from services.cli.bench.endpointing.answers import Answer
from services.cli.bench.endpointing.cases import Case
from services.cli.bench.endpointing.drawing import Performance
from services.cli.bench.endpointing.hearing import HeardPause
from services.cli.bench.endpointing.making import performances, said_until, spoken_folder
from services.cli.bench.endpointing.recognised import said
from services.cli.bench.endpointing.recordings import Listener
from services.cli.bench.endpointing.speaking import Voices


def respoken(count: int) -> tuple[str, Sequence[tuple[str, Sequence[Case]]]]:
    """So many judged answers' pauses, once with the written words and once with those recognised.

    Returns:
        The recogniser's name, and for each wording its name and the cases.
    """
    listener = Listener()
    chosen = (p for p in performances(Voices(spoken_folder()), "judged") if p[2] == 0)
    written: list[Case] = []
    recognised: list[Case] = []
    for answer, voice, _, performance in islice(chosen, count):
        heard = listener.heard(
            f"{answer.id} {voice}", performance.samples, performance.end, answer.asked
        )
        recognised += heard
        written += [_as_written(case, answer, performance) for case in heard]
    return listener.model, [
        (f"{count} answers, words as written", written),
        (f"{count} answers, words by {listener.model}", recognised),
    ]


def _as_written(case: Case, answer: Answer, performance: Performance) -> Case:
    start = performance.tokens[0].start + case.pause.speech
    pause = HeardPause(start, case.length, 0.0, case.pause.speech)
    text = said(answer, said_until(answer, performance, pause))
    return replace(case, pause=replace(case.pause, text=text))
