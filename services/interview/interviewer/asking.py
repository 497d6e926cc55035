"""A follow-up question in the model's words, within a time budget, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from services.interview.clients.seams import ChatMessage, ChatModel
from services.interview.interviewer.guarding import acceptable, question_from

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
    *,
    answer: str,
    asked: Sequence[str],
    budget: float,
    now: Callable[[], float],
) -> FollowUp | None:
    """Asks the model; None when it is too slow or says nothing that may be said.

    Args:
        model: The model.
        answer: The candidate's answer so far.
        asked: What the interviewer asked before.
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
            aclosing(model.chat(prompt(answer), max_tokens=MAX_TOKENS, stop=("\n",))) as pieces,
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
    if not acceptable(question, answer=answer, asked=asked):
        return None
    return FollowUp(question, first_token)
