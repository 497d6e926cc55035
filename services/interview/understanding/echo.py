"""The interviewer's own line in what the microphone heard.

A loudspeaker near an open microphone, or an echo canceller that lets a rest through, has the
recogniser write down parts of the line that plays, with errors. They are compared letter by letter
with what has been played, since recognition puts spaces and endings elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rapidfuzz import fuzz

from services.interview.understanding.wording import Utterance, is_hanzi, kept, read, words_of

AHEAD_WORDS = 4
"""What may have been played beyond what the client has acknowledged: acknowledgements and a
recogniser's text come at different times."""
LIKENESS = 80.0
"""Percent (rapidfuzz `partial_ratio`): between the worst echo and the nearest speech of the fitted
half of the corpus."""
LEAST_LETTERS = {False: 10, True: 5}
"""A shorter text may be like the line by chance; by whether it is Chinese."""
LEAST_RUN = {False: 3, True: 4}
"""So many words (Chinese: characters) in a row of the line are no chance either."""
_OWN = frozenset(
    {"i", "we", "my", "our", "no", "not", "never", "yes", "neither", "both", "prefer", "because"}
    | {"我", "不", "没", "都"}
)
"""Words of who answers: recognition makes them of no others."""
LONGEST_SIDE = 6
"""A choice names things; what is longer is a clause. In words (Chinese: characters)."""
_ADDRESSED = re.compile(r".*\b(?:you|we|they|it|is|are)\b|.*[你您]们?")
_NAMING_ZH = re.compile(r"[是用的选]+")
"""What may stand before a choice: 用的是."""


def without_echo(
    utterance: Utterance, line: str, heard: str, *, final: bool, question_heard: bool = False
) -> Utterance | None:
    """What somebody said besides the echo; None when it is all echo.

    Args:
        utterance: What was heard at the microphone.
        line: What the interviewer is saying.
        heard: The part of it that was heard so far.
        final: Whether the text is complete. Before that a single word of the line is echo, too:
            more will tell.
        question_heard: Whether the line may be answered already: in the question's own words.
    """
    reference = _played(line, heard)
    words = utterance.words
    if not words or not reference:
        return utterance
    if final and question_heard and (_owned(words, line) or _chosen(words, line)):
        return utterance
    if _inside(words, reference) and (len(words) > 1 + utterance.chinese or not final):
        # "I see" and "yes" may stand in a line as well; as signs of listening they are harmless.
        return utterance if not utterance.contents else None
    letters = "".join(words)
    if len(letters) >= LEAST_LETTERS[utterance.chinese] and (
        fuzz.partial_ratio(letters, "".join(reference), score_cutoff=LIKENESS) > 0
        and len(letters) <= len("".join(reference)) * 1.2
    ):
        return None
    rest = _peeled(words, reference, LEAST_RUN[utterance.chinese])
    if len(rest) == len(words):
        return utterance
    said = kept(utterance, rest)
    # A word or two are what recognition made of the echo's edges, unless they take the floor.
    return None if len(said.contents) < 2 and not said.interrupts else said


def _owned(words: Sequence[str], line: str) -> bool:
    """Whether somebody speaks of themselves, or denies, where the line does not."""
    return not _OWN.isdisjoint(set(words) - set(read(line).words))


def _chosen(words: Sequence[str], line: str) -> bool:
    """Whether the words name one of two things between which the line lets choose."""
    before = ""
    for clause in read(line).clauses:
        left, either, right = clause.partition("还是" if "还是" in clause else "or ")
        if either and (left == "" or left.endswith(" ") or either == "还是"):
            left = _ADDRESSED.sub("", left or before)
            named = [*words]
            if either == "还是":
                named = words_of(_NAMING_ZH.sub("", "".join(words)))
            sides = [set(words_of(left)[-LONGEST_SIDE:])]
            if not _ADDRESSED.match(right):  # Else it asks on: "or what did you do instead?"
                sides.append(set(words_of(right)))
            if any(named and side.issuperset(named) for side in sides):
                return True
        before = clause
    return False


def _played(line: str, heard: str) -> list[str]:
    words = list(read(line).words)
    count = len(read(heard).words)
    chinese = any(map(is_hanzi, words))
    return words[: count + AHEAD_WORDS * (2 if chinese else 1)]


def _inside(words: Sequence[str], reference: Sequence[str]) -> bool:
    length = len(words)
    return any(
        tuple(reference[place : place + length]) == tuple(words)
        for place in range(len(reference) - length + 1)
    )


def _peeled(words: Sequence[str], reference: Sequence[str], least: int) -> list[str]:
    """The words without the runs of at least so many that stand in the reference, too."""
    blocks = SequenceMatcher(None, words, reference, autojunk=False).get_matching_blocks()
    echoed = {
        place
        for block in blocks
        if block.size >= least
        for place in range(block.a, block.a + block.size)
    }
    return [word for place, word in enumerate(words) if place not in echoed]
