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


def repeated(text: str, language: str) -> str:
    """A question once more."""
    return f"好的，我再问一遍。{text}" if language.startswith("zh") else f"Of course. {text}"


def rephrased(text: str, language: str) -> str:
    """A question introduced in another way."""
    if language.startswith("zh"):
        return f"换句话说，我想知道的是：{text}"
    return f"Let me put it another way. I would like to know this: {text}"


def openers(language: str) -> tuple[str, ...]:
    """Signs that an answer was taken, before there is anything to say about it."""
    return ("嗯。", "好的。") if language.startswith("zh") else ("Mm-hm.", "Okay.")


def take_your_time(language: str) -> str:
    """What is said in a long pause."""
    return "不着急，慢慢来。" if language.startswith("zh") else "Take your time."


def skip_offer(language: str) -> str:
    """What a candidate is asked who says nothing."""
    if language.startswith("zh"):
        return "要不要跳过这个问题？"
    return "Shall we skip this question? Just say next question."
