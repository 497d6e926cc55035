"""What is corrected in a learner's English, and what is left alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from services.interview.authored import read_authored
from services.interview.practice.corrections import corrections, mistakes
from services.interview.questions.bank import load_bank
from services.interview.record import Speaker, Turn
from services.interview.reports.report import Correction
from tests.interview.stage import spoken

HERE = Path(__file__).parent
SENTENCES = read_authored(HERE / "sentences.yaml")
JUDGING = read_authored(HERE / "judging.yaml")
ANSWERS = Path(__file__).parents[3] / "services/cli/bench/answers"


def typed(text: str) -> Turn:
    return Turn("t1", Speaker.CANDIDATE, text, 1.0, 2.0, typed=True)


def found(text: str) -> tuple[Correction, ...]:
    return corrections([typed(text)])


def hits(entry: dict[str, str]) -> bool:
    """Whether a correction is about the wrong words."""
    begins = entry["said"].lower().index(entry["wrong"].lower())
    ends = begins + len(entry["wrong"])
    return any(start < ends and begins < end for start, end, *_ in mistakes(entry["said"]))


def mended(text: str) -> str:
    """With every correction made."""
    parts, place = [], 0
    for start, end, better, _ in mistakes(text):
        parts += [text[place:start], better]
        place = end
    return "".join([*parts, text[place:]])


def told(entry: dict[str, str]) -> bool:
    """Whether the mended sentence says one of the forms that are right."""
    after = mended(entry["said"]).lower()
    return any(better.strip().lower() in after for better in entry["better"].split(" / "))


@pytest.mark.parametrize("entry", SENTENCES["fitted"], ids=lambda entry: entry["wrong"])
def test_a_common_mistake_is_found(entry: dict[str, str]) -> None:
    assert hits(entry)


def test_of_what_no_rule_was_fitted_on_most_is_found_and_next_to_nothing_is_false() -> None:
    false = [text for text in JUDGING["right"] if found(text)]
    assert len(false) <= 0.02 * len(JUDGING["right"]), false
    judged = JUDGING["wrong"]
    share = sum(hits(entry) and told(entry) for entry in judged) / len(judged)
    assert share >= 0.8, f"{share:.0%}"


@pytest.mark.parametrize("text", SENTENCES["right"])
def test_what_is_right_is_left_alone(text: str) -> None:
    assert found(text) == ()


@pytest.mark.parametrize("text", ["so i is " * 2000, "He go home. " * 1600])
def test_every_mistake_of_a_long_text_is_found_once(text: str) -> None:
    places = mistakes(text)
    assert len(places) >= 1000
    assert all(one[1] <= other[0] for one, other in pairwise(places))


@pytest.mark.slow
def test_nothing_is_corrected_in_the_written_answers_and_questions_of_others() -> None:
    said = [
        str(text)
        for name in ("fitted.yaml", "held_out.yaml")
        for entry in read_authored(ANSWERS / name)
        for key, text in entry.items()
        if key in {"good", "medium", "poor"}
    ]
    said += [t for q in load_bank() if q.language == "en" for t in (q.text, *q.follow_ups)]
    assert sum(len(text.split()) for text in said) > 20_000
    assert [each.said for text in said for each in found(text)] == []


@pytest.mark.parametrize(
    ("said", "better"),
    [
        ("She go to school by bus.", "She goes"),
        ("And then she go to school by bus.", "she goes"),
        ("He don't study here.", "He doesn't"),
        ("Last year I travel to Spain.", "Last year I traveled"),
        ("yesterday i go to Spain.", "yesterday I went"),
        ("We met in Sunday.", "on Sunday"),
        ("we met in sunday.", "on Sunday"),
        ("He is good in English.", "He is good at English"),
        ("She gave me many advices.", "a lot of advice"),
        ("How many money is it?", "How much money"),
        ("I don't know where is he.", "don't know where he is"),
        ("He married with a nurse.", "married a nurse"),
        ("He is married with a nurse.", "is married to a nurse"),
        ("I want that he comes.", "I want him to come"),
        ("I didn't understood the question.", "didn't understand"),
        ("I am interested in write stories.", "interested in writing"),
        ("There are three child in the picture.", "three children"),
    ],
)
def test_the_form_that_is_meant_is_told(said: str, better: str) -> None:
    (correction,) = found(said)
    assert correction.better == better
    assert correction.reason


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("a {}", "an apple, an Italian, an hour, an honest, an umbrella, an unusual, an only"),
        ("an {}", "a university, a European, a useful, a one-off, a ukulele, a house, a table"),
        ("a {}", "an onion, an unarmed, an uninteresting, an e-mail, an iron, an unidentified"),
        ("an {}", "a unanimous, a unary, a urine, a utility, a year, a new, a once"),
    ],
)
def test_a_or_an_is_told_by_the_sound(wrong: str, right: str) -> None:
    for form in right.split(", "):
        word = form.split()[1]
        assert mended(f"It is {wrong.format(word)} thing.") == f"It is {form} thing."
        assert mended(f"It is {form} thing.") == f"It is {form} thing."


@pytest.mark.parametrize(
    "word",
    [
        "MBA",
        "NGO",
        "SUV",
        "USB",
        "URL",
        "SQL",
        "UNESCO",
        "iPhone",
        "x-ray",
        "historic",
        "sla",
        "nda",
    ],
)
def test_no_article_is_told_before_what_may_be_letters(word: str) -> None:
    for article in ("a", "an"):
        assert mended(f"It is {article} {word} thing.") == f"It is {article} {word} thing."


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
    assert typed_one.better == "He goes"
    turn = Turn("t", Speaker.CANDIDATE, "…", 1.0, 9.0, spoken("Yes, she um, don't know", 1.0))
    (spoken_one,) = corrections([turn])
    assert spoken_one.better == "she doesn't"
