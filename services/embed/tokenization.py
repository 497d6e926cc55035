"""Texts to token ids, within the model's limit."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from services.runtime.errors import InvalidFields

# Controls, format characters (zero-width ones, say) and separators: nothing a reader would see.
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


class Purpose(Enum):
    """What a text is embedded for."""

    QUERY = auto()
    PASSAGE = auto()


class Overflow(Enum):
    """What to do with a text longer than the model takes."""

    REFUSE = auto()
    TRUNCATE = auto()


@dataclass(frozen=True, slots=True)
class NamedText:
    """A text and the request's field it came in, for errors: "inputs[3]"."""

    field: str
    content: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """A text as the model reads it.

    Attributes:
        ids: Token ids, the special ones included.
        types: Segment of each token, 0 or 1; 1 only for a pair's second text.
        truncated: Whether the text was cut to fit.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    truncated: bool = False


def pad(texts: Sequence[TokenizedText], padding: int) -> NDArray[np.int64]:
    """What a model is fed, int64 [3, n, longest]: ids, 1 for each that is no padding, types.

    Args:
        texts: At least one.
        padding: The id to fill up with.
    """
    longest = max(len(text.ids) for text in texts)
    padded = np.zeros((3, len(texts), longest), dtype=np.int64)
    ids, mask, types = padded
    ids[:] = padding
    for row, text in enumerate(texts):
        length = len(text.ids)
        ids[row, :length] = text.ids
        mask[row, :length] = 1
        types[row, :length] = text.types
    return padded


class Tokenization:
    """A model's tokenizer with its limit and its instructions.

    All methods may be called from any thread and take time in proportion to the text.
    """

    def __init__(
        self, tokenizer: Tokenizer, max_tokens: int, instructions: Mapping[Purpose, str]
    ) -> None:
        """Takes a tokenizer that is nobody else's: its own padding and truncation are switched off.

        Args:
            tokenizer: The model's.
            max_tokens: Most tokens the model takes, the special ones included.
            instructions: What is put before a text for a purpose, "query: " say.
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self._instructions = instructions
        self._instruction_tokens = {
            purpose: len(self._content(text).ids) for purpose, text in instructions.items()
        }

    def tokenize(
        self, texts: Sequence[NamedText], purpose: Purpose, overflow: Overflow
    ) -> list[TokenizedText]:
        """Tokenizes texts to be embedded, each alone.

        Raises:
            InvalidFields: Texts with nothing visible in them, texts of which the model's vocabulary
                keeps nothing, and, with `Overflow.REFUSE`, texts that are too long.
        """
        _refuse_invisible(texts)
        instruction = self._instructions.get(purpose, "")
        contents = self._tokenizer.encode_batch_fast(
            [instruction + text.content for text in texts], add_special_tokens=False
        )
        specials = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        empty = self._instruction_tokens.get(purpose, 0)
        wrong: list[tuple[str, str]] = []
        for text, content in zip(texts, contents, strict=True):
            tokens = len(content.ids) + specials
            if len(content.ids) <= empty:
                wrong.append((text.field, "holds nothing the model can read"))
            elif tokens > self.max_tokens and overflow is Overflow.REFUSE:
                wrong.append((text.field, f"{tokens} tokens; the model takes {self.max_tokens}"))
        if wrong:
            raise InvalidFields(wrong)
        return [self._finish(content, self.max_tokens - specials) for content in contents]

    def tokenize_pairs(
        self, query: NamedText, documents: Sequence[NamedText], overflow: Overflow
    ) -> list[TokenizedText]:
        """Tokenizes each document together with the query. What is cut is the document's end.

        Raises:
            InvalidFields: As `tokenize`; a query must leave room for the documents.
        """
        _refuse_invisible([query, *documents])
        room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        # Half of the room, so that there is always something of the document to read.
        longest_query = room // 2
        asked = self._content(query.content)
        query_tokens = len(asked.ids)
        wrong: list[tuple[str, str]] = []
        if query_tokens > longest_query and overflow is Overflow.REFUSE:
            wrong.append((query.field, f"{query_tokens} tokens; the model takes {longest_query}"))
        answers = self._tokenizer.encode_batch_fast(
            [document.content for document in documents], add_special_tokens=False
        )
        left = room - min(query_tokens, longest_query)
        for document, answer in zip(documents, answers, strict=True):
            if len(answer.ids) > left and overflow is Overflow.REFUSE:
                tokens = len(answer.ids)
                wrong.append(
                    (document.field, f"{tokens} tokens; beside this query the model takes {left}")
                )
        if wrong:
            raise InvalidFields(wrong)
        asked.truncate(longest_query)
        cut_query = query_tokens > longest_query
        return [self._finish_pair(asked, answer, left, cut=cut_query) for answer in answers]

    def _content(self, text: str) -> Encoding:
        # A batch of one: `encode` holds the interpreter for as long as the text takes.
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return encoding

    def _finish(self, content: Encoding, room: int) -> TokenizedText:
        cut = len(content.ids) > room
        content.truncate(room)
        whole = self._tokenizer.post_process(content)
        return TokenizedText(tuple(whole.ids), tuple(whole.type_ids), truncated=cut)

    def _finish_pair(
        self, query: Encoding, document: Encoding, room: int, *, cut: bool
    ) -> TokenizedText:
        cut = cut or len(document.ids) > room
        document.truncate(room)
        whole = self._tokenizer.post_process(query, document)
        return TokenizedText(tuple(whole.ids), tuple(whole.type_ids), truncated=cut)


def _refuse_invisible(texts: Sequence[NamedText]) -> None:
    wrong = [
        (text.field, "has no visible character")
        for text in texts
        if all(unicodedata.category(character) in _INVISIBLE for character in text.content)
    ]
    if wrong:
        raise InvalidFields(wrong)
