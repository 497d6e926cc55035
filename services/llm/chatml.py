"""ChatML: the chat format of SmolLM2 (and Qwen, and others), as token ids.

https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md; the whitespace is that of
SmolLM2's own template. What people wrote is encoded as plain text, so a message that contains
`<|im_end|>` cannot close its own turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.llm.chat import Message, Role
from services.llm.tokenizer import ByteLevelTokenizer

START = "<|im_start|>"
END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class TokenizedPrompt:
    """A conversation as the model reads it.

    Attributes:
        tokens: Token ids, up to where the answer begins.
        boundaries: Lengths of the prefixes of `tokens` that end with a whole message, ascending.
    """

    tokens: tuple[int, ...]
    boundaries: tuple[int, ...]


def default_system_prompt(template: str) -> str | None:
    """The system prompt a ChatML Jinja template adds when the conversation has none."""
    found = re.search(r"<\|im_start\|>system\\?\n?n?(.*?)<\|im_end\|>", template, re.DOTALL)
    if found is None or "{" in found[1] or "'" in found[1]:
        return None
    return found[1].strip() or None


def tokenize(
    messages: Sequence[Message], tokenizer: ByteLevelTokenizer, default_system: str | None
) -> TokenizedPrompt:
    """The prompt of a conversation.

    If the last message is the assistant's it is left open, and the answer continues it.
    """
    if messages[0].role is not Role.SYSTEM and default_system is not None:
        messages = [Message(Role.SYSTEM, default_system), *messages]
    start, end, newline = tokenizer.special(START), tokenizer.special(END), tokenizer.encode("\n")
    tokens: list[int] = []
    boundaries: list[int] = []
    last = len(messages) - 1
    for index, message in enumerate(messages):
        tokens += [start, *tokenizer.encode(f"{message.role.value}\n")]
        tokens += tokenizer.encode(message.content)
        if index == last and message.role is Role.ASSISTANT:
            return TokenizedPrompt(tuple(tokens), tuple(boundaries))
        tokens += [end, *newline]
        boundaries.append(len(tokens))
    tokens += [start, *tokenizer.encode(f"{Role.ASSISTANT.value}\n")]
    return TokenizedPrompt(tuple(tokens), tuple(boundaries))
