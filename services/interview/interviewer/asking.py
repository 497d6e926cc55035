"""A follow-up question in the model's words, within a time budget, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from services.interview.clients.seams import ChatMessage, ChatModel
from services.interview.interviewer.guarding import acceptable, question_from
from services.interview.questions.bank import Question

MAX_TOKENS = 32
ANSWER_WORDS = 60
"""The prompt carries the end of the answer: it is what a follow-up naturally picks up, and a short
prompt is a fast one."""

BEGINNING = "How did you"
"""Small models ask when the question is begun for them."""

_SYSTEM = (
    "You are a friendly job interviewer. Ask one short follow-up question about something the"
    " candidate has just said."
)
_EXAMPLES = (
    (
        "I split our nightly report into small jobs, and it went from four hours to forty minutes.",
        "How did you decide where to split the report?",
    ),
    (
        "Two teammates disagreed about the design, so we compared both options on a whiteboard.",
        "How did you make sure that both teammates felt heard?",
    ),
    (
        "I studied biology, but I taught myself to program and now build tools for our laboratory.",
        "How did you learn to program next to your studies?",
    ),
)


SPARE_FOLLOW_UPS = (
    "Could you give me a concrete example of that?",
    "What would you do differently if you did it again?",
    "What did you learn from it?",
)
"""For rounds with more follow-ups than the bank has for the question."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a follow-up is asked about.

    Attributes:
        covered, missed: The question's key points that the answer makes, and does not.
        recent: The last two turns, each with its speaker.
        asked: What the interviewer has said before.
    """

    question: Question
    answer: str
    covered: tuple[str, ...]
    missed: tuple[str, ...]
    recent: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    language: str


def bank_follow_up(context: Context) -> str:
    """The bank's own follow-up, one that was not asked before if there is one."""
    spare = (*context.question.follow_ups, *SPARE_FOLLOW_UPS)
    return next((text for text in spare if text not in context.asked), spare[-1])


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question the guard let pass, and when its first token came, on the given clock."""

    text: str
    first_token: float


def prompt(answer: str) -> list[ChatMessage]:
    """The conversation for the model; all but the last two messages are always the same."""
    messages = [ChatMessage("system", _SYSTEM)]
    for said, asked in _EXAMPLES:
        messages += [ChatMessage("user", said), ChatMessage("assistant", asked)]
    end_of_answer = " ".join(answer.split()[-ANSWER_WORDS:])
    return [*messages, ChatMessage("user", end_of_answer), ChatMessage("assistant", BEGINNING)]


async def warm_up(model: ChatModel) -> None:
    """Lets the model see the constant part of the prompt, so that it can keep it computed.

    A server that caches prefixes keeps what it has seen twice.

    Raises:
        DependencyFailed: The model could not be used.
    """
    for answer in ("I like to plan my work.", "We tested it together."):
        async with aclosing(model.chat(prompt(answer), max_tokens=1, stop=())) as pieces:
            async for _ in pieces:
                pass


async def follow_up(
    model: ChatModel,
    context: Context,
    *,
    budget: float,
    now: Callable[[], float],
) -> FollowUp | None:
    """Asks the model; None when it is too slow or says nothing that may be said.

    Args:
        model: The model.
        context: The answer so far, and what it answers.
        budget: Seconds the model has.
        now: The clock of `FollowUp.first_token`.

    Raises:
        DependencyFailed: The model could not be used.
    """
    text = BEGINNING
    first_token: float | None = None
    try:
        async with (
            asyncio.timeout(budget),
            aclosing(
                model.chat(prompt(context.answer), max_tokens=MAX_TOKENS, stop=("\n",))
            ) as pieces,
        ):
            async for piece in pieces:
                if first_token is None:
                    first_token = now()
                text += piece
                if "?" in piece:
                    break
    except TimeoutError:
        return None
    question = question_from(text)
    if first_token is None or question is None:
        return None
    if not acceptable(question, answer=context.answer, asked=context.asked):
        return None
    return FollowUp(question, first_token)
