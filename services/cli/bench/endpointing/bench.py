"""`viva bench endpointing`: how soon an answer's end is known, at how many cut-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.cli.bench.endpointing import table
from services.cli.bench.endpointing.cases import Case, cases, heard_cases
from services.cli.bench.endpointing.comparing import OURS, Comparison, compare
from services.cli.bench.endpointing.plot import svg
from services.cli.bench.endpointing.policies import Judged
from services.cli.bench.frame import BenchResult
from services.interview.endpointing.model import fitted

JUDGED_SEED = "judge"
LANGUAGES = {"en": "English", "zh": "Chinese"}


async def run(recordings: Path | None, plot: Path | None) -> BenchResult:
    """Judges the judged half of the table, or a folder of recordings.

    Args:
        recordings: A folder with `ends.csv`; None takes the packaged table.
        plot: Where to draw the curves; None draws nothing.

    Raises:
        LookupError: The folder is not as it should be.
    """
    if recordings is not None:
        return await asyncio.to_thread(_of_recordings, recordings, plot)
    return await asyncio.to_thread(_of_table, plot)


def _of_table(plot: Path | None) -> BenchResult:
    rows = table.read()
    known = cases(rows, "judged", wordings=1, seed=JUDGED_SEED, written=False)
    comparisons = _by_language("", known)
    heard = Judged(heard_cases(rows, "judged"))
    comparisons.append(compare("Whisper's own words", heard, fitted()))
    models = {"asr": "smart-turn-v3.2, whisper-base"}
    notes = [
        (
            "synthesised answers by voices, and of texts, that nothing was fitted on; words as a"
            " recogniser would write them; every pause judged for itself"
        ),
        f"ours at 5 %: {comparisons[0].best(OURS).setting}",
    ]
    return _result(comparisons, models, notes, plot)


def _of_recordings(folder: Path, plot: Path | None) -> BenchResult:
    from services.cli.bench.endpointing.recordings import Listener, recorded_answers

    recorded = recorded_answers(folder)
    listener = Listener()
    known = [case for recording in recorded for case in listener.cases(recording)]
    models = {"asr": f"smart-turn-v3.2, {listener.model}"}
    notes = [f"{len(recorded)} recordings of {folder}; words by {listener.model}"]
    return _result(_by_language("", known), models, notes, plot)


def _by_language(prefix: str, known: Sequence[Case]) -> list[Comparison]:
    judged = Judged(known)
    comparisons = [compare(f"{prefix}all", judged, fitted())]
    spoken = np.array([case.asked.language for case in judged.cases])
    if len(set(spoken)) > 1:
        comparisons += [
            compare(prefix + LANGUAGES.get(language, language), judged.only(spoken == language),
                    fitted())
            for language in sorted(set(spoken))
        ]  # fmt: skip
    return comparisons


def _result(
    comparisons: Sequence[Comparison], models: dict[str, str], notes: list[str], plot: Path | None
) -> BenchResult:
    if plot is not None:
        everything = comparisons[0]
        packaged = (everything.packaged.cut_ins, everything.packaged.delay)
        title = f"End of {everything.ends} answers, {everything.inner} pauses inside them"
        drawing = svg(title, everything.plotted(), {"as packaged": packaged})
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(drawing, encoding="utf-8")
    figures = [figure for comparison in comparisons for figure in comparison.figures()]
    curves = {
        f"{comparison.name}: {way}": [(round(c, 4), round(d, 3)) for c, d in curve]
        for comparison in comparisons
        for way, curve in comparison.plotted().items()
    }
    return BenchResult("endpointing", figures, models, notes, curves)
