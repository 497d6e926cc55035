"""What is said to the interviewer in plain words: a wish, or at least asked about, and no answer.

Of the wishes that strangers wrote (`strangers.yaml`) 54 of 123 were taken for answers before; at
the first judging of the new rules 9 were, and 5 of 53 answers were asked about.
"""

from __future__ import annotations

from collections import Counter

import pytest

from services.interview.endpointing.moment import Asked
from services.interview.record import Phase
from services.interview.understanding.addressing import addresses
from tests.interview.understanding.test_apart import GROUPS, OPEN
from tests.interview.understanding.test_wishes import REFUSALS, SAMPLES, WISHES, Sample, _samples

PLAIN = tuple(_samples("plain.yaml"))
STRANGERS = tuple(_samples("strangers.yaml"))


def is_asked_about(text: str, question: str, language: str) -> bool:
    return addresses(text, Asked(question, Phase.QUESTION, None, language), question)


def outcome(sample: Sample) -> str:
    """What becomes of a sample: a wish is right, missed, asked about, or another; so an answer."""
    found = sample.found
    if found not in WISHES and is_asked_about(sample.text, sample.question, sample.language):
        return "asked"
    if found in sample.means:
        return "right"
    return "taken" if found in WISHES else "missed"


@pytest.mark.parametrize(
    ("samples", "missed", "asked"), [(PLAIN, 0.05, 0.05), (STRANGERS, 0.1, 0.1)]
)
def test_plain_wishes_are_hardly_ever_taken_for_answers_and_no_answer_for_a_wish(
    samples: tuple[Sample, ...], missed: float, asked: float
) -> None:
    wishes = [sample for sample in samples if not {"SPEECH", "NOISE"} & sample.means]
    answers = [sample for sample in samples if sample not in wishes]
    of_wishes, of_answers = Counter(map(outcome, wishes)), Counter(map(outcome, answers))
    assert len(wishes) >= 100
    assert of_wishes["missed"] <= missed * len(wishes), of_wishes
    assert of_wishes["taken"] <= 1
    assert len(answers) >= 50
    assert not of_answers["taken"]
    assert of_answers["asked"] <= asked * len(answers), of_answers


def test_hardly_any_answer_is_asked_about() -> None:
    answers = [
        (sample.text, sample.question, sample.language)
        for sample in (*SAMPLES, *REFUSALS)
        if sample.state in {"open", "there"} and sample.means == {"SPEECH"}
    ]
    for group in GROUPS:
        language = str(group["language"])
        if group["kind"] == "answer" or group.get("meaning") == "says":
            question = str(group.get("question", OPEN[language]))
            answers += [(text, question, language) for text in group["texts"]]  # type: ignore[attr-defined]
    assert len(answers) >= 300
    assert len([answer for answer in answers if is_asked_about(*answer)]) <= 2


QUESTION = "How do you calm an upset guest?"


@pytest.mark.parametrize(
    "text",
    [
        *("Do you hear the echo, too?", "Is that the last question?", "You sound like a robot."),
        *("Your microphone crackles.", "I have a question about the interview.", "这题好难啊。"),
        *("您那边有回音。", "你能打字问我吗？"),
    ],
)
def test_what_speaks_to_the_interviewer_is_asked_about(text: str) -> None:
    assert is_asked_about(text, "Why do indexes make reads fast?", "en")


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Could you tell me what happened?", "What would you say to an upset guest?"),
        ("Can you wait, please?", "How do you handle a guest who is early?"),
        ("The last question was the hardest.", "What was the hardest question of your exam?"),
        ("I told them your question is good.", "How do you calm people down?"),
        ("You have to keep calm and listen to every guest of the house.", QUESTION),
        ("您先坐，我帮您看看。", "客人生气的时候你会说什么？"),
        ("没有什么大问题。", "你在工作中遇到过什么问题？"),
        ("", QUESTION),
        ("you " * 400, QUESTION),
    ],
)
def test_what_is_said_to_others_or_of_something_is_an_answer(text: str, question: str) -> None:
    assert not is_asked_about(text, question, "en" if question.isascii() else "zh")
