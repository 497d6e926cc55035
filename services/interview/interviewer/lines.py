"""The interviewer's fixed lines."""

from __future__ import annotations

from services.interview.record import InterviewSettings

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def opening(settings: InterviewSettings) -> str:
    """The greeting and what will happen."""
    greeting = f"Hello {settings.candidate_name}" if settings.candidate_name else "Hello"
    about = f" for the position of {settings.job_title}" if settings.job_title else ""
    questions = "one question" if settings.rounds == 1 else f"{_NUMBERS[settings.rounds]} questions"
    return (
        f"{greeting}, and welcome. This is a practice interview{about}."
        f" I have {questions} for you. Take your time with each answer."
    )


def question(text: str, round_number: int, rounds: int) -> str:
    """A question of the plan, with a word on where the interview stands."""
    if round_number == 1:
        return f"Let's begin. {text}"
    if round_number == rounds:
        return f"Thank you. My last question: {text}"
    return f"Thank you. Next question: {text}"


def closing(settings: InterviewSettings) -> str:
    """Thanks and goodbye."""
    name = f", {settings.candidate_name}" if settings.candidate_name else ""
    return f"Thank you{name}, that was my last question. Your report is on its way. Goodbye!"
