"""What is said, word by written word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.tts.normalization.script import has_han


@dataclass(frozen=True, slots=True)
class Token:
    """A written word and how it is said.

    Attributes:
        written: As it stands in the text.
        offset: Where it begins in the segment's text, in Unicode code points.
        spoken: What is said: words of letters, apostrophes and hyphens, parted by spaces.
        after: The mark that follows it, one of `, . ? ! ; : … —`, or nothing.
    """

    written: str
    offset: int
    spoken: str
    after: str = ""

    @property
    def is_han(self) -> bool:
        """Whether it is said in Mandarin."""
        return has_han(self.spoken)


@dataclass(frozen=True, slots=True)
class Utterance:
    """What an engine speaks at once.

    Attributes:
        tokens: Its words in order; never empty.
    """

    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The words as said, with their marks, for engines that take text."""
        return "".join(_joined(self.tokens)).strip()

    @property
    def ending(self) -> str:
        """The mark at the end, or nothing."""
        return self.tokens[-1].after


def _joined(tokens: tuple[Token, ...]) -> Iterator[str]:
    previous_han = False
    for token in tokens:
        if not (previous_han and token.is_han):
            yield " "
        yield token.spoken + token.after
        previous_han = token.is_han and not token.after
