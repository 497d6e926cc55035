"""What an English tutor says where an interviewer would speak of an interview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.interview.interviewer.lines import chosen
from services.interview.record import InterviewSettings

LANGUAGE = "en"
_Lines = Mapping[str, Sequence[str]]

_FIRST: _Lines = {LANGUAGE: ("Let's start. {}", "To begin with: {}", "Let's begin. {}")}
_NEXT: _Lines = {
    LANGUAGE: ("Let's talk about something else. {}", "Now to another topic. {}", "Next topic. {}")
}
_LAST: _Lines = {LANGUAGE: ("One last topic. {}", "And now our last topic. {}")}
_CONFIRM_END: _Lines = {
    LANGUAGE: (
        "Shall we stop here? Say yes, or let's go on.",
        "Do you want to stop for today? Yes, or shall we go on?",
    )
}
_CONFIRM_END_AGAIN = "Just to be sure: shall we stop? Please say only yes, or no."
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def opening(settings: InterviewSettings) -> str:
    """The greeting and what will happen."""
    name = f" {settings.candidate_name}" if settings.candidate_name else ""
    topics = "one topic" if settings.rounds == 1 else f"{_NUMBERS[settings.rounds]} topics"
    return (
        f"Hello{name}, nice to meet you. Let's speak English together: I have {topics} for us."
        " Don't worry about mistakes. I won't interrupt you, and we look at them afterwards."
    )


def topic(
    text: str, round_number: int, rounds: int, seed: str = "", *, thanked: bool = False
) -> str:
    """A topic, with a word on where the conversation stands."""
    if round_number == 1:
        return chosen(_FIRST, LANGUAGE, seed).format(text)
    which = _LAST if round_number == rounds else _NEXT
    thanks = "" if thanked else "Thank you. "
    return thanks + chosen(which, LANGUAGE, seed).format(text)


def closing(settings: InterviewSettings, *, answered: bool = True) -> str:
    """Thanks and goodbye; where nothing was answered there is nothing to look at."""
    name = f", {settings.candidate_name}" if settings.candidate_name else ""
    if not answered:
        return f"Thank you{name}, we stop here. We did not talk, so there is no report. Goodbye!"
    return (
        f"Thank you{name}, I enjoyed talking with you."
        " In a moment you will see what went well, and what to say differently. Goodbye!"
    )


def confirm_end(seed: str = "", *, again: bool = False) -> str:
    """What a learner is asked who seems to want to stop; again, if that was unclear."""
    return _CONFIRM_END_AGAIN if again else chosen(_CONFIRM_END, LANGUAGE, seed)
