"""What an engine promises."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.llm.chat import ChatEvent, ChatPrompt, Message
from services.runtime.engine_health import EngineHealth


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What runs where.

    Attributes:
        name: The name requests use.
        version: The weights' version; empty when they carry none.
        engine: For example "ctranslate2".
        device: For example "cpu", "cuda:0", or the remote server's address.
        languages: BCP 47 tags; empty when unknown.
        context_tokens: Most tokens of a conversation, answer included.
        max_batch_size: Most requests computed together.
        memory_bytes: What the weights take; 0 when they are elsewhere.
    """

    name: str
    version: str
    engine: str
    device: str
    languages: tuple[str, ...]
    context_tokens: int
    max_batch_size: int
    memory_bytes: int


class ChatEngine(Protocol):
    """Generates text with one model."""

    def describe(self) -> ModelDescription:
        """What runs where."""
        ...

    @property
    def health(self) -> EngineHealth:
        """Whether it works."""
        ...

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation up to where the answer begins, the chat format included."""
        ...

    def chat(self, prompt: ChatPrompt) -> AsyncGenerator[ChatEvent, None]:
        """Answers: any number of deltas, then one finish. Closing the generator stops the model.

        Raises:
            InvalidField: A field cannot be served as it is; said before the first delta.
            ServiceError: The answer failed; a constrained answer that could not be completed
                fails with CONSTRAINT_UNFINISHED rather than end as something that does not parse.
        """
        ...
