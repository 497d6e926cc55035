"""How a story is told: the shares of situation, task, action and result (STAR).

Each clause that may tell an outcome of its own ("…, which cut it by half") and each sentence is
taken for the part whose marks it carries; one without marks goes on with the part before it. The
marks are words, and changes told in figures; the shares are a rough picture: whether a part is
there at all says more than a few percent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
_NUMBER = (
    r"(?:about |around |nearly |almost |over |only |just |more than |less than |under |roughly )*"
    r"(?:[$€£]?\d[\d.,]*|half|zero|(?:a|an|one) \w+|two|three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\b"
)
_CHANGED = (
    r"(?:cut|halved|doubled|tripled|dropped|fell|rose|grew|shrank|climbed|jumped|improved|shortened"
    r"|lowered|raised|brought|reduced|increased|slashed|trimmed|boosted|sped up|took \w+ down)"
)
_OUTCOME = re.compile(
    rf"\b{_CHANGED}\b[^.;]{{0,60}}\b(?:by|to|from) {_NUMBER}"
    r"|\b(?:halved|doubled|tripled)\b"
    rf"|\bwhich (?:\w+ ){{0,2}}(?:{_CHANGED}|led to|resulted in|meant|made|gave|let|allowed|enabled"
    r"|helped|kept|freed|stopped|prevented|ended|solved|fixed|won)\b"
    r"|\b(?:led to|resulted in|never happened again|went live|(?:on|ahead of) (?:time|schedule))\b"
    r"|\b(?:no|zero|not (?:one|a single)|without (?:a|any)) (?:\w+ )?(?:complaints?|incidents?"
    r"|outages?|failures?|errors?|bugs?|losses|downtime)\b"
    r"|\bstopped (?:complaining|failing|crashing|happening|leaving)\b"
    r"|\b(?:was|were|got|been) (?:promoted|adopted|approved|accepted|released|launched|delivered"
    r"|praised|merged|renewed)\b|\b(?:thanked|promoted|praised|congratulated) (?:me|us)\b"
    r"|(?:提高|提升|增长|增加|减少|降低|下降|缩短|降|减|涨|节省|节约|省)(?:了|到|至|成|为)*"
    r"(?:约|近|大约|将近|超过|不到)*(?:百分之|[\d一二三四五六七八九十百千两半])"
    r"|从[^，。；]{1,16}(?:降|减|缩短|提高|提升|增加|变|涨|降低|减少|增长)(?:到|至|成|为)"
    r"|翻了?(?:一番|[一两三四\d]倍)|(?:再也没有?|没有?再)(?:出现|发生|出过|收到)"
    r"|按时|准时(?:完成|交付|上线)|提前(?:完成|交付|上线)|顺利(?:完成|上线|交付|通过)"
    r"|(?:得到|获得|受到)了?[^，。]{0,8}(?:认可|好评|表扬|肯定|奖)|从而|使得|节省了|缩短了|降低了"
)
"""What came of it, told without a word that announces it."""
_TURNS = re.compile(
    r"[,;，；]\s*(?=which\b|so that\b|so (?:the|it|they|we)\b"
    r"|and (?:that|this|it|the|as a result)\b|结果|使|让|于是|从而|因此|最后|最终)"
)
"""Where a sentence goes on to tell what came of it."""
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


def structure(
    sentences: Sequence[Evidence], read: Callable[[str], str] = lambda text: text
) -> Structure:
    """The parts of a story.

    Args:
        sentences: In the order they were said, at least one.
        read: The form in which a sentence is looked at, where that is not how it was written.
    """
    words = dict.fromkeys(Part, 0)
    first: dict[Part, Evidence] = {}
    part = Part.SITUATION
    for sentence in sentences:
        for clause in _clauses(read(sentence.quote)):
            part = _part(clause, part)
            words[part] += count(clause)
            first.setdefault(part, sentence)
    total = max(1, sum(words.values()))
    return Structure(
        words[Part.SITUATION] / total,
        words[Part.TASK] / total,
        words[Part.ACTION] / total,
        words[Part.RESULT] / total,
        tuple(first[part] for part in Part if part in first),
    )


def _clauses(sentence: str) -> list[str]:
    """The sentence, cut where it turns to its outcome."""
    for turn in _TURNS.finditer(sentence):
        if _tells_result(sentence[turn.end() :].lower()):
            return [sentence[: turn.end()], sentence[turn.end() :]]
    return [sentence]


def _tells_result(small: str) -> bool:
    return bool(_RESULT.search(small) or _OUTCOME.search(small))


def _part(text: str, before: Part) -> Part:
    small = text.lower().replace("’", "'")
    acts = len(_ACTION.findall(small)) - len(_NO_ACTION.findall(small))
    if _tells_result(small) and before is not Part.SITUATION:
        return Part.RESULT
    if acts > 0:
        return Part.ACTION
    if _tells_result(small):
        return Part.RESULT
    if _TASK.search(small):
        return Part.TASK
    return before
