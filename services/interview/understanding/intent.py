"""What was meant by words over the interviewer's line or in an answer's place.

Precision first: a command taken wrongly costs an answer, one that is missed is said again. So
commands are whole short utterances, politeness and fillers apart; anything else is speech.
Deterministic and without I/O; well under a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.interview.endpointing.moment import Asked
from services.interview.understanding import chinese, english, expected
from services.interview.understanding.echo import without_echo
from services.interview.understanding.wording import Utterance, read

PROOF_WORDS = 2
"""So many different words interrupt; a single one may be a misheard cough."""

LONG_LETTERS = 400
"""No echo of a shorter line, no command: reading it would only take time."""


class Intent(Enum):
    """What an utterance is for.

    Attributes:
        NOISE: Nothing was said, or too little of it is known yet.
        BACK_CHANNEL: "I am listening" (Yngve 1970; Schegloff 1982), a laugh, a hesitation.
        ECHO: The interviewer's own line, heard by the candidate's microphone.
        SPEECH: It interrupts the line that plays, or answers.
        REPEAT: Say it again.
        REPHRASE: Say it in other words.
        HOLD: Wait for me.
        SKIP: The next question.
        END: Stop the interview.
    """

    NOISE = "noise"
    BACK_CHANNEL = "back-channel"
    ECHO = "echo"
    SPEECH = "speech"
    REPEAT = "repeat"
    REPHRASE = "rephrase"
    HOLD = "hold"
    SKIP = "skip"
    END = "end"


@dataclass(frozen=True, slots=True)
class Situation:
    """When it was said.

    Attributes:
        language: BCP 47 tag of the interview. What is said is understood in English and Chinese
            all the same, by its script.
        line: The interviewer's line that plays now; None when the interviewer is silent.
        heard: The part of it that was heard so far.
        question_heard: Whether the question's content was heard: then short words may answer it.
        asked: The question that is being answered; None where none is.
        typed: Whether it was typed: then a bare "next" or "quit" is a wish.
    """

    language: str
    line: str | None
    heard: str = ""
    question_heard: bool = False
    asked: Asked | None = None
    typed: bool = False

    @property
    def answerable(self) -> Asked | None:
        """The question, once it may be answered."""
        return self.asked if self.line is None or self.question_heard else None


_COMMANDS = {
    "repeat": Intent.REPEAT,
    "rephrase": Intent.REPHRASE,
    "hold": Intent.HOLD,
    "skip": Intent.SKIP,
    "end": Intent.END,
}


def understand(text: str, situation: Situation, *, final: bool) -> Intent:
    """What an utterance means.

    Args:
        text: All of it, as recognised so far.
        situation: When it was said.
        final: Whether the text will not change any more. Only then it is a command or a one-word
            answer; before, a command over a line is SPEECH, which stops the line as well.
    """
    if len(text) > max(LONG_LETTERS, 2 * len(situation.line or "")):
        return Intent.SPEECH
    utterance = read(text)
    if utterance.invented and not situation.typed:
        # Whisper hears "Bye." in noise; but it may be what one says at the end of a call.
        quoted = final and expected.answers(utterance, situation.answerable)
        return Intent.SPEECH if quoted else Intent.NOISE
    if situation.line is not None:
        rest = without_echo(
            utterance,
            situation.line,
            situation.heard,
            final=final,
            question_heard=situation.question_heard,
        )
        if rest is None:
            return Intent.ECHO
        utterance = rest
    return _meant(utterance, situation, final=final)


def _meant(utterance: Utterance, situation: Situation, *, final: bool) -> Intent:
    """What words that are the candidate's own mean."""
    if not utterance.words:
        if situation.typed and utterance.asks:
            return Intent.REPEAT
        return Intent.BACK_CHANNEL if utterance.laughs else Intent.NOISE
    if final and expected.answers(utterance, situation.answerable):
        return Intent.SPEECH
    if final and (command := _command(utterance, situation)):
        return command
    if not utterance.contents:
        return _listening(utterance, situation, final=final)
    return Intent.SPEECH if _proves(utterance, situation, final=final) else Intent.NOISE


def _proves(utterance: Utterance, situation: Situation, *, final: bool) -> bool:
    """Whether the words are enough to know that somebody speaks."""
    if utterance.interrupts:
        return True
    if situation.line is not None and len(set(utterance.contents)) >= PROOF_WORDS:
        return True
    one_will_do = situation.line is None or (final and situation.question_heard)
    return one_will_do and not _MEANINGLESS.issuperset(utterance.contents)


_MEANINGLESS = frozenset({"a", "an", "and", "bye", "i", "it", "of", "the", "to", "you"})
"""What Whisper makes of breath and clicks; alone none of them says anything."""


def _command(utterance: Utterance, situation: Situation) -> Intent | None:
    if utterance.chinese:
        grammar, utterance = chinese.COMMANDS, chinese.unmixed(utterance)
    else:
        grammar = english.COMMANDS
    silent = situation.line is None
    found = grammar.command(utterance, silent=silent, typed=situation.typed)
    return None if found is None else _COMMANDS[found]


def _listening(utterance: Utterance, situation: Situation, *, final: bool) -> Intent:
    """What "yes", "right" or "mm-hm" is: an answer where one is expected, else listening."""
    if final and situation.line is None and expected.assents(utterance, situation.asked):
        return Intent.SPEECH
    if not utterance.agrees:
        return Intent.BACK_CHANNEL
    if situation.line is None:
        return Intent.SPEECH
    answers = final and situation.question_heard and _asks_yes_or_no(situation.line)
    return Intent.SPEECH if answers else Intent.BACK_CHANNEL


def _asks_yes_or_no(line: str) -> bool:
    return english.asks_yes_or_no(line) or chinese.asks_yes_or_no(line)
