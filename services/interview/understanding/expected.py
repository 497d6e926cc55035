"""What the question makes of a short utterance: "Two minutes." answers "How long did it take?"."""

from __future__ import annotations

import re

from services.interview.endpointing.expectation import Kind, kind
from services.interview.endpointing.moment import Asked
from services.interview.understanding.wording import Utterance

_AMOUNT = (
    r"(?:(?:a|one|another|half a|a little|some|a bit of|a few|a couple of|two|a short|about a) )?"
    r"(?:more |longer )?(?:seconds?|secs?|minutes?|min|time|while|bit)(?: longer)?"
    r"|(?:a )?(?:few|couple of|little) (?:more )?(?:moments|time)|a moment|(?:a )?(?:bit )?longer"
)
_BARE = re.compile(
    rf"(?:{_AMOUNT}|pass|wait|pause|again|once more|one more time|过|暂停|等|重复|停)"
)
"""Words that are a wish by themselves, and a fact where one is asked for."""
_HERE = re.compile(
    r"i am (?:right )?here|(?:i (?:can )?)?(?:still )?hear you(?: (?:well|fine|clearly))?"
    r"|我?(?:在的?|能?听得?(?:到|见))"
)
_HESITATION = re.compile(
    r"\b(?:u+h+|u+m+|e+r+m?|h+m+|m+|a+h+|o+h+|w+o+w+|ooh+|(?:ha)+h?|(?:he)+h?|heh|huh)\b"
    r"|[嗯哦噢喔呃额啊哎唔嘿哈呵 ]"
)
_CHOICE = re.compile(r"\bor\b|还是")


def answers(utterance: Utterance, asked: Asked | None) -> bool:
    """Whether what elsewhere is a wish, or next to nothing, answers the question."""
    if asked is None or not utterance.words:
        return False
    said = " ".join(utterance.clauses)
    expected = kind(asked)
    if expected in {Kind.FACT, Kind.CLOSED} and _BARE.fullmatch(said):
        return True
    if expected is Kind.CLOSED and _HERE.fullmatch(said):
        return True
    return _chosen(utterance, asked) or (expected is Kind.FACT and said in {"it", "a", "i"})


def assents(utterance: Utterance, asked: Asked | None) -> bool:
    """Whether a sign of listening says yes to the question; "um" does not."""
    if asked is None or kind(asked) is not Kind.CLOSED:
        return False
    return _HESITATION.sub("", " ".join(utterance.words) + " ").strip() != ""


def _chosen(utterance: Utterance, asked: Asked) -> bool:
    """Whether the question lets choose between things, and this names one of them."""
    question = re.split(r"(?<=[.!。！])\s*", asked.text.lower())[-1]
    if not _CHOICE.search(question):
        return False
    there = set(re.findall(r"[\w']+", question)) if not utterance.chinese else set(question)
    named = [word for word in utterance.words if word not in {"an", "the"}]
    return 0 < len(named) <= 2 and there.issuperset(named)
