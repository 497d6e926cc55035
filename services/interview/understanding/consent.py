"""Yes or no to an offer of the interviewer's: "Shall I end the interview?", "Shall we skip it?".

What is said is cut into phrases that say yes or no, name what is offered or its contrary, give a
reason, or only fill. None runs over the end of a clause: "I don't want to. Continue." names no end.
All of a yes is read, to its end: beside it stands that one has to leave, and nothing else. "Yes, I
have to take a sip of water" is no consent, and "Let me finish" names no end. Who contradicts
themselves, or says anything that is none of these, has said neither; then it is asked again, or
taken for an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.interview.understanding import offers_chinese, offers_english
from services.interview.understanding.wording import (
    Utterance,
    is_hanzi,
    read,
)

MOST_LETTERS = 100
"""Who says more than that says something else."""
MOST_WORDS, MOST_HANZI = 9, 14
"""A "no" may go on for so long: "No, I was talking to my colleague"."""

_APART = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])|[\r\n]+")
"""Who types parts clauses with blanks in Chinese, and with lines in any language."""


class Part(Enum):
    """What a phrase does in the reply to an offer.

    What is FIRM is a yes beside one ("Definitely."); what is VAGUE is neither, and may be said of
    something else ("Not really.").
    """

    YES = auto()
    NO = auto()
    ACT = auto()
    CONTRARY = auto()
    REASON = auto()
    FIRM = auto()
    VAGUE = auto()
    UNSURE = auto()
    FILLER = auto()
    HUM = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered.

    Attributes:
        phrases: How its parts are said; the longest phrase counts.
        question: Whether a question may be answered instead. Then a "no" with content of its own
            answers that: "No, we used Postgres." And "Definitely." is no yes yet.
        final: Whether it can't be undone. Then a hum is no yes.
    """

    phrases: Mapping[Part, re.Pattern[str]]
    question: bool = False
    final: bool = False


def _phrases(
    english: Mapping[str, str], chinese: Mapping[str, str]
) -> Mapping[Part, re.Pattern[str]]:
    return {
        Part[part.upper()]: re.compile(rf"(?:{said})(?![a-z0-9'])|{chinese[part]}")
        for part, said in english.items()
    }


END = Offer(_phrases(offers_english.END, offers_chinese.END), final=True)
SKIP = Offer(_phrases(offers_english.SKIP, offers_chinese.SKIP), question=True)
THAT_WAS_IT = Offer(_phrases(offers_english.THAT_WAS_IT, offers_chinese.THAT_WAS_IT), question=True)
"""Not offered but asked: whether what was said is the answer."""

_REQUESTED = re.compile(
    r"\b(?:can|could|may|might|shall|should|would|let us|please)\b|可以|能|(?<![对是])吧$|[好行]吗$"
)
"""Asking for it is no question whether it was offered: "Can we stop here?", "The end?"."""
_HESITATES = re.compile(r"(?:…|\.\.\.?)\s*$")
_GOES_ON = re.compile(
    r"(?:^| )(?:(?<!afraid )(?<!think )(?<!guess )(?<!suppose )so|and|but|well|um+|uh+|er+m?"
    r"|actually|because|since)$|(?:那个?|那么|其实|呃|额|但是?|因为|由于)$"
)
"""Behind these more will come: "Okay, so"."""


def consent(text: str, offer: Offer) -> bool | None:
    """Whether the words say yes to an offer; None if they say neither yes nor no."""
    if len(text) > 2 * MOST_LETTERS:
        return None
    utterance = _read(text)
    said = " ".join(utterance.clauses)
    if not said or len(said) > MOST_LETTERS:
        return None
    parts = _parts(utterance.clauses, offer)
    found = _found(parts)
    if Part.HUM in found and not offer.final:
        found = found - {Part.HUM} | {Part.YES}
    answer = _answer(parts, found, utterance, offer)
    if answer is None or _GOES_ON.search(said):
        return None
    doubted = (utterance.asks or said.endswith("吗")) and not _REQUESTED.search(said)
    return None if answer and (doubted or _HESITATES.search(text)) else answer


def hums(text: str) -> bool:
    """Whether it is "mm-hm" or 嗯 and nothing else: perhaps a yes, perhaps a noise."""
    if len(text) > MOST_LETTERS or _HESITATES.search(text):
        return False
    found = {part for part, _ in _parts(_read(text).clauses, END)}
    return Part.HUM in found and {Part.HUM, Part.FILLER}.issuperset(found)


def doubtful(text: str, offer: Offer) -> bool:
    """Whether it agrees or refuses, or is only polite, and leaves open to what: "Not really."."""
    if len(text) > MOST_LETTERS:
        return False
    parts = _parts(_read(text).clauses, offer)
    found = _found(parts)
    if not found <= {Part.YES, Part.NO, Part.ACT, Part.CONTRARY, Part.FIRM, Part.VAGUE}:
        return False
    return bool(parts) and (not found or bool(found & {Part.FIRM, Part.VAGUE}))


def _read(text: str) -> Utterance:
    return read(_APART.sub("; ", text))


def _found(parts: list[tuple[Part, str]]) -> set[Part]:
    return {part for part, _ in parts} - {Part.FILLER}


def _answer(
    parts: list[tuple[Part, str]], found: set[Part], utterance: Utterance, offer: Offer
) -> bool | None:
    refuses = bool(found & {Part.NO, Part.CONTRARY})
    if found & {Part.OTHER, Part.UNSURE}:
        first = next(part for part, _ in parts if part is not Part.FILLER)
        plain = first is Part.NO and not found & {Part.ACT, Part.UNSURE}
        return False if plain and not offer.question and _short(utterance) else None
    if Part.VAGUE in found and not refuses:
        return None
    if refuses:
        contradicts = Part.ACT in found or (Part.REASON in found and Part.CONTRARY not in found)
        return None if contradicts else False
    firm = Part.FIRM in found and not offer.question
    return True if firm or found & {Part.YES, Part.ACT} else None


def _short(utterance: Utterance) -> bool:
    return len(utterance.words) <= (MOST_HANZI if utterance.chinese else MOST_WORDS)


def _parts(clauses: Sequence[str], offer: Offer) -> list[tuple[Part, str]]:
    """The phrases of what was said, in their order; a word of its own is OTHER."""
    return [found for clause in clauses for found in _parts_of(clause, offer)]


def _parts_of(clause: str, offer: Offer) -> Iterator[tuple[Part, str]]:
    place = 0
    while place < len(clause):
        if clause[place] == " ":
            place += 1
            continue
        part, length = Part.OTHER, 0
        for candidate, pattern in offer.phrases.items():
            match = pattern.match(clause, place)
            if match is not None and match.end() - place > length:
                part, length = candidate, match.end() - place
        length = length or _word(clause, place)
        yield part, clause[place : place + length]
        place += length


def _word(said: str, place: int) -> int:
    """The length of the word at a place."""
    end = place + 1
    while not is_hanzi(said[place]) and end < len(said) and said[end] != " ":
        if is_hanzi(said[end]):
            break
        end += 1
    return end - place
