"""What a chat is, whatever engine holds it: the request, and the events of its answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from services.runtime.batching import Priority


class Role(enum.Enum):
    """Who says a message; the value is the chat format's word for it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. None takes the engine's default.

    Attributes:
        temperature: 0 always takes the likeliest token.
        top_p: Keep the likeliest tokens up to this total probability.
        top_k: Keep the k likeliest tokens.
        repetition_penalty: Divides the score of tokens already in the answer; 1 is none
            (Keskar et al. 2019, CTRL).
        seed: Makes the result repeatable on the same engine.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer is a JSON value this JSON Schema (2020-12, as text) accepts."""

    text: str


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole answer matches this regular expression."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer is one of these, to the letter."""

    options: tuple[str, ...]


Constraint: TypeAlias = JsonSchema | Regex | Choice


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation to go on with.

    Attributes:
        messages: At least one. If the last is the assistant's, the answer continues it.
        sampling: How tokens are chosen.
        max_tokens: Longest answer, in tokens; None takes the engine's default.
        stop: The answer ends before the first of these.
        constraint: What the answer must look like.
        caller: Who shares the model fairly with others.
        priority: Its class of urgency.
        deadline: On the event loop's clock, in seconds; None without one.
        include_thinking: Whether what the model thinks is of use; otherwise it shall not think, or
            what it thinks is left out.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    caller: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    include_thinking: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer: whole characters, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The next piece of what the model thinks; no part of the answer. Never empty."""

    text: str


class FinishReason(enum.Enum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used.

    Attributes:
        prompt_tokens: Tokens of the conversation, the chat format included.
        cached_tokens: Of these, tokens whose computation was reused from an earlier request; None
            when the engine does not say.
        completion_tokens: Tokens of the answer, its end token not counted.
    """

    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is over.

    Attributes:
        reason: Why.
        usage: Tokens used.
        queue_time: Seconds spent waiting for the model.
        compute_time: Seconds in the model.
        batch_size: Requests that shared the model's last batch, this one included.
    """

    reason: FinishReason
    usage: Usage
    queue_time: float
    compute_time: float
    batch_size: int


ChatEvent: TypeAlias = Delta | Thought | Finish
