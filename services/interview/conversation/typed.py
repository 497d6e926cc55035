"""How much may be typed in an interview: more than people have to say, less than would hurt others.

All of an answer is in every commit until the next question, and all of it is scored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.interview.conversation.conversation import Conversation
from services.interview.refusals import RefusedField

ANSWER_LETTERS = 40_000
"""To one question: an hour at 110 words a minute, six letters a word, blanks among them."""
INTERVIEW_LETTERS = 200_000
"""In one interview: five such hours."""
INTERVIEW_ANSWERS = 500
"""Messages in one interview: a dozen to each of its 40 questions at most, follow-ups among them."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many letters in so many messages."""

    letters: int = 0
    answers: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.letters + other.letters, self.answers + other.answers)


NOTHING = Amount()


class Typed:
    """What was typed in one interview, by whichever client, lived through or not."""

    def __init__(self, conversation: Conversation) -> None:
        """Counts what the record has."""
        self._conversation = conversation
        turns = conversation.chronicle.interview.turns
        self._all = _amount(turn.text for turn in turns if turn.typed)
        place = conversation.state.place
        self._step = place.step
        self._answer = _amount(turn.text for turn in place.answer.turns if turn.typed)

    def check(self, text: str, field: str, planned: Amount = Amount()) -> Amount:
        """Whether a message is taken behind `planned` ones; how much it is.

        Raises:
            RefusedField: ANSWER_TOO_LONG or INTERVIEW_TOO_LONG, and what to do.
        """
        if self._conversation.state.place.step != self._step:
            self._step, self._answer = self._conversation.state.place.step, NOTHING
        message = Amount(len(text), 1)
        answer, whole = self._answer + planned + message, self._all + planned + message
        if whole.letters > INTERVIEW_LETTERS or whole.answers > INTERVIEW_ANSWERS:
            raise RefusedField(
                "INTERVIEW_TOO_LONG",
                f"{field}.typed.text",
                f"makes {whole.letters} letters in {whole.answers} messages; one interview takes"
                f" {INTERVIEW_LETTERS} in {INTERVIEW_ANSWERS}: speak, or end it",
            )
        if answer.letters > ANSWER_LETTERS:
            raise RefusedField(
                "ANSWER_TOO_LONG",
                f"{field}.typed.text",
                f"makes an answer of {answer.letters} letters; one question takes"
                f" {ANSWER_LETTERS}: go on with the next",
            )
        return message

    def take(self, message: Amount) -> None:
        """Counts a message that was checked."""
        self._answer += message
        self._all += message


def _amount(texts: Iterable[str]) -> Amount:
    return sum((Amount(len(text), 1) for text in texts), NOTHING)
