"""Utterances with what they mean, in two halves: fitted and held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.interview.authored import read_authored
from services.interview.understanding.intent import Intent, Situation

LINES = {
    (
        "en",
        "over",
    ): "Thanks for that. Let us talk about slow queries, and how one finds the reason.",
    ("en", "end"): "How would you find out why a query has become slow in production?",
    ("zh", "over"): "谢谢。下面我们谈谈变慢的查询，以及怎样找出原因。",
    ("zh", "end"): "在生产环境里，你会怎样找出查询变慢的原因？",
}
"""What the interviewer says where a group names no line of its own."""


@dataclass(frozen=True)
class Sample:
    """An utterance, when it was said, and what it means."""

    text: str
    situation: Situation
    final: bool
    intent: Intent


def samples(half: str) -> Sequence[Sample]:
    """The samples of a half, "fitted" or "held_out"."""
    file = Path(__file__).with_name(f"{half}.yaml")
    groups = read_authored(file)["groups"]
    return [
        Sample(text, _situation(group), not group.get("partial", False), Intent[group["intent"]])
        for group in groups
        for text in group["texts"]
    ]


def _situation(group: dict[str, str]) -> Situation:
    language, when = group.get("language", "en"), group["when"]
    if when == "silent":
        return Situation(language, None)
    line = group.get("line", LINES[language, when])
    share = 0.5 if when == "over" else 0.9
    heard = group.get("played", line[: round(share * len(line))])
    return Situation(language, line, heard, question_heard=when == "end")
