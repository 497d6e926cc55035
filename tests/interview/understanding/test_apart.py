"""The third part of the corpus: what is understood of phrases the rules were not tuned on.

The bounds are a little below what the first judging found: 112 of 126 wishes, 116 of 125 answers,
118 of 121 for declining, 118 of 121 for yes and no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.interview.authored import read_authored
from services.interview.endpointing.moment import Asked
from services.interview.interviewer.declining import declined
from services.interview.record import Phase
from services.interview.understanding.consent import END, consent
from services.interview.understanding.intent import Situation, understand

OPEN = {
    "en": "Tell me about a project that you are proud of.",
    "zh": "请介绍一个你引以为豪的项目。",
}
FILE = Path(__file__).with_name("apart.yaml")
GROUPS: Sequence[Mapping[str, object]] = read_authored(FILE)["groups"]


def found(group: Mapping[str, object], text: str) -> str:
    language, kind = str(group["language"]), group["kind"]
    if kind == "consent":
        return {True: "yes", False: "no", None: "neither"}[consent(text, END)]
    if kind == "declining":
        return "declines" if declined(text, "") else "says"
    question = str(group.get("question", OPEN[language]))
    asked = Asked(question, Phase.QUESTION, None, language)
    return understand(text, Situation(language, None, asked=asked), final=True).name


def judged(kind: str, language: str) -> tuple[int, list[tuple[str, str]]]:
    count, wrong = 0, []
    for group in GROUPS:
        if (group["kind"], group["language"]) != (kind, language):
            continue
        for text in group["texts"]:  # type: ignore[attr-defined]
            count += 1
            if (meaning := found(group, text)) != group.get("meaning", "SPEECH"):
                wrong.append((text, meaning))
    return count, wrong


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("kind", "share"), [("wish", 0.83), ("answer", 0.9), ("declining", 0.93), ("consent", 0.93)]
)
def test_phrases_kept_apart_are_understood(kind: str, share: float, language: str) -> None:
    count, wrong = judged(kind, language)
    assert count >= 60
    assert len(wrong) <= (1 - share) * count, wrong


@pytest.mark.parametrize("language", ["en", "zh"])
def test_consent_is_missed_and_never_imagined(language: str) -> None:
    _, wrong = judged("consent", language)
    assert {meaning for _, meaning in wrong} <= {"neither"}
