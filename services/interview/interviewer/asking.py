"""A follow-up question: in the model's words within a time budget, or the bank's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from services.interview.clients.seams import ChatMessage, ChatModel, DependencyFailed, Embedder
from services.interview.interviewer.guarding import (
    acceptable,
    grounded,
    question_from,
    repeats,
)
from services.interview.interviewer.lines import spare_follow_ups
from services.interview.interviewer.words import content_words, is_chinese
from services.interview.practice.corrections import mistakes
from services.interview.questions.bank import Question
from services.interview.record import Category

MAX_TOKENS = 32
ANSWER_WORDS = 45
"""The prompt carries the end of the answer: it is what a follow-up naturally picks up, and a short
prompt is a fast one."""
POINTS = 2
"""Covered and missed points a prompt names, each."""
NEAR = 0.25
"""Least cosine (all-MiniLM-L6-v2) of a follow-up and what the question is about."""

_SYSTEM = (
    "You are a friendly job interviewer. Ask one short follow-up question about something the"
    " candidate has just said."
)
_EXAMPLES = (
    (
        (
            "Question: Tell me about something you made faster.\n"
            "Not yet said: explains how they found the slow part"
        ),
        "I split our nightly report into small jobs, and it went from four hours to forty minutes.",
        "How did you find out which part of the report was slow?",
    ),
    (
        (
            "Question: How do you solve a disagreement about a design?\n"
            "Not yet said: made sure that both sides were heard"
        ),
        "Two teammates disagreed about the design, so we compared both options on a whiteboard.",
        "How did you make sure that both teammates felt heard?",
    ),
    (
        "Question: Please introduce yourself.\nNot yet said: says what they are looking for",
        "I studied biology, but I taught myself to program and now build tools for our laboratory.",
        "How did you learn to program next to your studies?",
    ),
)
"""What is known of a round, what the candidate said, and a good question."""
_TUTOR = (
    "You are a friendly English tutor. You talk with a learner about everyday life. Ask one short,"
    " simple question about something the learner has just said."
)
_TALKS = (
    (
        "Question: What do you like to do at the weekend?\nNot yet said: says who is with them",
        "I go to the market on Saturday and then I cook a big meal for the whole week.",
        "How did you learn to cook for a whole week?",
    ),
    (
        "Question: Tell me about a place you like.\nNot yet said: tells how often they go there",
        "There is a small lake near my house, and in summer I swim there after work.",
        "How did you find the small lake near your house?",
    ),
)
"""The same for practice in speaking."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a follow-up is built from.

    Attributes:
        question: The bank's question of the round.
        answer: The candidate's answers in the round so far.
        covered: Key points the answer makes.
        missed: Key points it does not make, the most important first.
        recent: The last two turns as (speaker, text), the oldest first.
        asked: What the interviewer said before, in this interview.
        language: BCP 47.
    """

    question: Question
    answer: str
    covered: tuple[str, ...]
    missed: tuple[str, ...]
    recent: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    language: str = "en"

    @property
    def said(self) -> str:
        """All that is known to have been said."""
        return " ".join((self.answer, *(text for _, text in self.recent)))

    @property
    def about(self) -> str:
        """What the round is about."""
        return " ".join((self.question.text, *self.question.key_points))


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question the guard let pass, and when its first token came, on the given clock."""

    text: str
    first_token: float


def prompt(context: Context) -> list[ChatMessage]:
    """The conversation for the model; all but the last two messages are always the same.

    Users and the assistant take turns: many models' templates refuse anything else.
    """
    return [
        *_constant(practised=context.question.category is Category.CONVERSATION),
        _told(_situation(context), _end(context.answer)),
        _begun(context.question),
    ]


def _constant(*, practised: bool = False) -> list[ChatMessage]:
    messages = [ChatMessage("system", _TUTOR if practised else _SYSTEM)]
    for situation, said, asked in _TALKS if practised else _EXAMPLES:
        messages += [_told(situation, said), ChatMessage("assistant", asked)]
    return messages


def _told(situation: str, said: str) -> ChatMessage:
    return ChatMessage("user", f"{situation}\nSaid: {said}")


def _situation(context: Context) -> str:
    parts = [f"Question: {context.question.text}"]
    earlier = [text for who, text in context.recent if who == "interviewer"]
    if earlier and context.question.text not in earlier[-1]:
        parts.append(f"Asked last: {_end(earlier[-1])}")
    if context.covered:
        parts.append(f"Already clear: {'; '.join(context.covered[:POINTS])}")
    if context.missed:
        parts.append(f"Not yet said: {'; '.join(context.missed[:POINTS])}")
    return "\n".join(parts)


def _end(text: str) -> str:
    if is_chinese(text):
        return text[-2 * ANSWER_WORDS :]
    return " ".join(text.split()[-ANSWER_WORDS:])


def beginning(question: Question) -> str:
    """How the question begins; small models ask when it is begun for them."""
    return "您" if question.language == "zh" else "How did you"


def _begun(question: Question) -> ChatMessage:
    return ChatMessage("assistant", beginning(question))


async def warm_up(model: ChatModel) -> None:
    """Lets the model see the constant part of the prompt, so that it can keep it computed.

    A server that caches prefixes keeps what it has seen twice.

    Raises:
        DependencyFailed: The model could not be used.
    """
    for answer in ("I like to plan my work.", "We tested it together."):
        messages = [*_constant(), _told("Question: How do you work?", answer)]
        async with aclosing(model.chat(messages, max_tokens=1, stop=())) as pieces:
            async for _ in pieces:
                pass


async def follow_up(
    model: ChatModel,
    context: Context,
    *,
    budget: float,
    now: Callable[[], float],
    embedder: Embedder | None = None,
) -> FollowUp | None:
    """Asks the model; None when it is too slow or says nothing that may be said.

    Args:
        model: The model.
        context: What to build the question from.
        budget: Seconds the model has, the comparison of meanings included.
        now: The clock of `FollowUp.first_token`.
        embedder: Tells whether the question is on the topic; without one, words do.

    Raises:
        DependencyFailed: The model could not be used.
    """
    text = beginning(context.question)
    first_token: float | None = None
    chat = model.chat(prompt(context), max_tokens=MAX_TOKENS, stop=("\n",))
    try:
        async with asyncio.timeout(budget):
            async with aclosing(chat) as pieces:
                async for piece in pieces:
                    if first_token is None:
                        first_token = now()
                    text += piece
                    if "?" in piece or "？" in piece:
                        break
            question = question_from(text)
            if first_token is None or question is None or not may_be_asked(question, context):
                return None
            if embedder is not None and not await _near(embedder, question, context):
                return None
    except TimeoutError:
        return None
    return FollowUp(question, first_token)


def may_be_asked(question: str, context: Context) -> bool:
    """Whether the guard lets a question pass: see `acceptable` and `grounded`.

    On the topic by words: it takes up the answer, and no more than a few of its words come from
    nowhere.
    """
    asked = (*context.asked, context.question.text)
    if not acceptable(question, answer=context.answer, asked=asked):
        return False
    if context.question.category is Category.CONVERSATION and mistakes(question):
        return False  # A tutor takes up what was said, not how it was said wrongly.
    return grounded(question, said=context.said, about=context.about)


async def _near(embedder: Embedder, question: str, context: Context) -> bool:
    """Whether a question is near what the round is about; True while nobody can tell."""
    about = [context.question.text, *context.missed[:POINTS], _end(context.answer)]
    try:
        vectors = await embedder.embed([question, *about], query=False, background=False)
    except DependencyFailed:
        return True
    return float((vectors.values[1:] @ vectors.values[0]).max()) >= NEAR


def hint(question: Question) -> str | None:
    """What a question is about, for whoever did not understand it; nothing of a good answer."""
    asked = content_words(question.text)
    answering = content_words(" ".join(question.key_points)) - asked
    own_trade = question.tags[0] if question.own_trade else ""
    there = [
        tag for tag in question.tags if tag != own_trade and not content_words(tag) & answering
    ]
    return next((tag for tag in there if not content_words(tag) <= asked), None)


def bank_follow_up(context: Context) -> str:
    """The bank's follow-up for the point missed; never one that was asked.

    First come those that ask for a missed point, in the order in which the points were missed,
    then those that ask in general, then lines that fit any answer; those that ask for a point
    that was made come last.
    """
    question = context.question
    missed = {point: rank for rank, point in enumerate(context.missed)}

    def rank(each: tuple[str, int | None]) -> int:
        _, aim = each
        if aim is None:
            return len(missed)
        return missed.get(question.key_points[aim], len(missed) + 2)

    spare = [(text, None) for text in spare_follow_ups(context.language)]
    ranked = sorted(question.aimed, key=rank)
    useful = [each for each in ranked if rank(each) <= len(missed)]
    rest = [each for each in ranked if rank(each) > len(missed)]
    candidates = [text for text, _ in (*useful, *spare, *rest)]
    fresh = [text for text in candidates if not _said_before(text, context.asked)]
    return (fresh or candidates)[0]


def _said_before(text: str, asked: Sequence[str]) -> bool:
    if len(content_words(text)) < 2:  # too few words to recognise it by
        return any(text.rstrip("?？.。") in earlier for earlier in asked)
    return repeats(text, asked)
