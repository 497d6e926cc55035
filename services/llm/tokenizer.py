"""Byte-level BPE tokenizers: built from GGUF metadata, and read back token by token as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from services.runtime.errors import ResourceMissing

# gguf.TokenType: 3 is CONTROL, 4 USER_DEFINED.
_CONTROL = 3
_USER_DEFINED = 4


def tokenizer_from_gguf(
    *,
    tokens: Sequence[str],
    token_types: Sequence[int],
    merges: Sequence[str],
    pre_tokenizer: str,
) -> Tokenizer:
    """The tokenizer a GGUF file describes.

    Args:
        tokens: `tokenizer.ggml.tokens`, in the order of their ids.
        token_types: `tokenizer.ggml.token_type`, one a token.
        merges: `tokenizer.ggml.merges`, "left right" in the order of their rank.
        pre_tokenizer: `tokenizer.ggml.pre`.

    Raises:
        ResourceMissing: The pre-tokenizer is none of those known here.
    """
    tokenizer = Tokenizer(
        BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[(left, right) for left, _, right in (m.partition(" ") for m in merges)],
        )
    )
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    match pre_tokenizer:
        case "smollm":
            # llama.cpp's LLAMA_VOCAB_PRE_TYPE_SMOLLM: single digits first, then GPT-2's pattern.
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [pre_tokenizers.Digits(individual_digits=True), byte_level]
            )
        case "gpt-2":
            tokenizer.pre_tokenizer = byte_level
        case _:
            raise ResourceMissing(
                f"the tokenizer's pre-tokenizer {pre_tokenizer!r} is not known",
                "use the transformers engine for this model",
            )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, token_types, strict=True)
            if kind in {_CONTROL, _USER_DEFINED}
        ]
    )
    return tokenizer


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte (`bytes_to_unicode` in openai/gpt-2 encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in printable)
    alphabet.update({chr(256 + shift): byte for shift, byte in enumerate(others)})
    return alphabet


class ByteLevelTokenizer:
    """Text to token ids and single ids back to the bytes they stand for."""

    def __init__(self, file: Path) -> None:
        """Reads a `tokenizer.json` of the tokenizers library."""
        self.json = file.read_text()
        self._tokenizer = Tokenizer.from_str(self.json)
        # Text is data: `<|im_end|>` in a message is spelt out, never the control token.
        self._tokenizer.encode_special_tokens = True
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self._tokens = sorted(vocabulary, key=vocabulary.__getitem__)

    @property
    def size(self) -> int:
        """Tokens in the vocabulary."""
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; no control token is ever among them."""
        # A batch of one: `encode` holds the interpreter for as long as the text takes.
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids

    def special(self, token: str) -> int:
        """The id of a control token."""
        index: int | None = self._tokenizer.token_to_id(token)
        if index is None:
            raise KeyError(token)
        return index

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The vocabulary's own spelling of token ids."""
        return [self._tokens[index] for index in ids]

    def token_bytes(self, index: int) -> bytes:
        """The bytes a token adds to the text: part of a character, perhaps; none for control."""
        return self._bytes[index]

    @cached_property
    def _bytes(self) -> list[bytes]:
        alphabet = _byte_alphabet()
        special = set(self._tokenizer.get_added_tokens_decoder())
        return [
            b"" if index in special else bytes(alphabet[letter] for letter in token)
            for index, token in enumerate(self._tokens)
        ]
