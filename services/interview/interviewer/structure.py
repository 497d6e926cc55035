"""How a story is told: the shares of situation, task, action and result (STAR).

Each sentence is taken for the part whose marks it carries; one without marks goes on with the
part before it. The marks are words, so the shares are a rough picture: whether a part is there at
all says more than a few percent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from services.interview.interviewer.words import count
from services.interview.reports.report import Evidence


class Part(Enum):
    """A part of a story."""

    SITUATION = "situation"
    TASK = "task"
    ACTION = "action"
    RESULT = "result"


_RESULT = re.compile(
    r"\b(in the end|as a result|the result|since then|ever since|eventually|finally|afterwards"
    r"|now (all|it|he|she|they|we|nobody|everybody|i)|today|turned out|went from|down from|up from"
    r"|by half|by a third|(was|were|is|are|got|became) (\w+ )?(faster|shorter|better|cheaper"
    r"|happier|fixed|solved|finished|done)|saved|saves|reduced|increased|improved|won|launched on"
    r"|survived|worked (out|well)|paid off|learned|learnt|still (have|is|use|ask)"
    r"|percent (less|more|faster|fewer)|we('ve| have) been)\b"
    r"|最后|结果|从那以后|后来|现在|终于|提高了|减少了|学到|学会|解决了|成功"
)
_TASK = re.compile(
    r"\b((had|needed|wanted|was supposed|were supposed|was asked|decided) to"
    r"|my (job|task|goal|role)|responsible for|in charge of|the goal|the task|our target"
    r"|asked me to|it was up to me|have to|was the one|i was sure)\b|负责|任务|目标|需要|必须|要求"
)
_ACTION = re.compile(
    r"\b(i|we)('ve| have| had| then| also| just| first| simply| even)* (\w{2,}ed|asked|told|wrote"
    r"|made|built|took|went|got|gave|said|did|put|led|spoke|cut|ran|kept|brought|drew|sat|let|left"
    r"|sent|read|set|spent|began|met|chose|showed|held|bought|taught|fought|laid|dug|sold|rewrote"
    r"|stood)\b|\bso i\b|\bthen i\b"
    r"|(我|我们)(先|就|又|马上|主动|亲自|把|给|找|约|跟|向|请|花|做|写|改|说|提)"
)
_NO_ACTION = re.compile(r"\bi (wanted|needed|had to|was|worked|used|noticed|liked|lived|studied)\b")


@dataclass(frozen=True, slots=True)
class Structure:
    """The shares of the parts by words, together 1, and where each begins."""

    situation: float
    task: float
    action: float
    result: float
    evidence: tuple[Evidence, ...] = ()

    @property
    def completeness(self) -> float:
        """0 to 1: action and result count most, then the setting."""
        setting = min(1.0, (self.situation + self.task) / 0.15)
        return (
            0.25 * setting
            + 0.40 * min(1.0, self.action / 0.25)
            + 0.35 * min(1.0, self.result / 0.12)
        )


def structure(sentences: Sequence[Evidence]) -> Structure:
    """The parts of a story.

    Args:
        sentences: In the order they were said, at least one.
    """
    words = dict.fromkeys(Part, 0)
    first: dict[Part, Evidence] = {}
    part = Part.SITUATION
    for sentence in sentences:
        part = _part(sentence.quote, part)
        words[part] += count(sentence.quote)
        first.setdefault(part, sentence)
    total = max(1, sum(words.values()))
    return Structure(
        words[Part.SITUATION] / total,
        words[Part.TASK] / total,
        words[Part.ACTION] / total,
        words[Part.RESULT] / total,
        tuple(first[part] for part in Part if part in first),
    )


def _part(text: str, before: Part) -> Part:
    small = text.lower().replace("’", "'")
    acts = len(_ACTION.findall(small)) - len(_NO_ACTION.findall(small))
    if _RESULT.search(small) and before is not Part.SITUATION:
        return Part.RESULT
    if acts > 0:
        return Part.ACTION
    if _RESULT.search(small):
        return Part.RESULT
    if _TASK.search(small):
        return Part.TASK
    return before
