"""What is corrected in a learner's English, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.interview.practice.corrections import corrections
from services.interview.questions.bank import load_bank
from services.interview.record import Speaker, Turn
from services.interview.reports.report import Correction
from tests.interview.stage import spoken

SENTENCES = yaml.safe_load((Path(__file__).parent / "sentences.yaml").read_text("utf-8"))
ANSWERS = Path(__file__).parents[3] / "services/cli/bench/answers"


def typed(text: str) -> Turn:
    return Turn("t1", Speaker.CANDIDATE, text, 1.0, 2.0, typed=True)


def found(text: str) -> tuple[Correction, ...]:
    return corrections([typed(text)])


def hits(entry: dict[str, str]) -> bool:
    wrong = entry["wrong"].lower()
    said = [each.said.lower() for each in found(entry["said"])]
    return any(wrong in each or each in wrong for each in said)


@pytest.mark.parametrize("entry", SENTENCES["fitted"], ids=lambda entry: entry["wrong"])
def test_a_common_mistake_is_found(entry: dict[str, str]) -> None:
    assert hits(entry)


def test_most_mistakes_that_no_rule_was_made_for_are_found() -> None:
    judged = SENTENCES["held_out"]
    share = sum(map(hits, judged)) / len(judged)
    assert share >= 0.7, f"{share:.0%}"


@pytest.mark.parametrize("text", SENTENCES["right"])
def test_what_is_right_is_left_alone(text: str) -> None:
    assert found(text) == ()


def test_nothing_is_corrected_in_the_written_answers_and_questions_of_others() -> None:
    said = [
        str(text)
        for name in ("fitted.yaml", "held_out.yaml")
        for entry in yaml.safe_load((ANSWERS / name).read_text("utf-8"))
        for key, text in entry.items()
        if key in {"good", "medium", "poor"}
    ]
    said += [t for q in load_bank() if q.language == "en" for t in (q.text, *q.follow_ups)]
    assert sum(len(text.split()) for text in said) > 20_000
    assert [each.said for text in said for each in found(text)] == []


@pytest.mark.parametrize(
    ("said", "better"),
    [
        ("She go to school by bus.", "she goes"),
        ("He don't study here.", "he doesn't"),
        ("Last year I travel to Spain.", "last year I traveled"),
        ("I didn't understood the question.", "didn't understand"),
        ("I am interested in write stories.", "interested in writing"),
        ("There are three child in the picture.", "three children"),
    ],
)
def test_the_form_that_is_meant_is_told(said: str, better: str) -> None:
    (correction,) = found(said)
    assert correction.better == better
    assert correction.reason


def test_a_correction_points_at_the_words_in_the_recording() -> None:
    words = spoken("Well I think my mother she don't like it", 10.0)
    turn = Turn("t7", Speaker.CANDIDATE, "…", 10.0, words[-1].end, words)
    (correction,) = corrections([turn])
    assert (correction.said, correction.better) == ("she don't", "she doesn't")
    at = [word.text for word in words].index("she")
    assert correction.evidence.turn_id == "t7"
    assert correction.evidence.quote == "she don't"
    assert (correction.evidence.start, correction.evidence.end) == (
        words[at].start,
        words[at + 1].end,
    )


def test_a_filler_inside_a_mistake_hides_nothing() -> None:
    (typed_one,) = found("He um go to work.")
    assert typed_one.better == "he goes"
    turn = Turn("t", Speaker.CANDIDATE, "…", 1.0, 9.0, spoken("Yes, she um, don't know", 1.0))
    (spoken_one,) = corrections([turn])
    assert spoken_one.better == "she doesn't"
