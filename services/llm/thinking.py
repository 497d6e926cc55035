"""What a model thinks, told from what it answers, where both come as one text."""

from __future__ import annotations

from dataclasses import dataclass

_OPEN = "<think>"
_CLOSE = "</think>"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of what a model said.

    Attributes:
        text: Never empty.
        thinking: Whether it is thought, not answered.
    """

    text: str
    thinking: bool


class ThinkingSplitter:
    """Splits text that comes bit by bit at `<think>` and `</think>`; the tags belong to neither.

    Blank space before and behind a thought is left out.
    """

    def __init__(self, *, begun: bool = False, leading_only: bool = False) -> None:
        """Sets the splitter up.

        Args:
            begun: The text begins inside a thought: the prompt opened it already.
            leading_only: Only a thought before the answer is one; what looks like another is text.
        """
        self._inside = begun
        self._leading_only = leading_only
        self._thought = begun
        self._answered = False
        self._held = ""
        self._space = ""

    def push(self, text: str) -> list[Piece]:
        """What is certain after this text; what may be a part of a tag is held back."""
        self._held += text
        pieces: list[Piece] = []
        while self._splits():
            before, _, self._held = self._held.partition(self._tag)
            pieces += self._said(before)
            self._inside = not self._inside
            self._thought = True
            self._space = ""
        keep = self._beginning_of_a_tag()
        said, self._held = (
            self._held[: len(self._held) - keep],
            self._held[len(self._held) - keep :],
        )
        return pieces + self._said(said)

    def finish(self) -> list[Piece]:
        """What was held back."""
        held, self._held = self._held, ""
        pieces = self._said(held)
        if self._space and not self._inside and not self._answered:
            pieces.append(Piece(self._space, thinking=False))
        return pieces

    @property
    def _tag(self) -> str:
        return _CLOSE if self._inside else _OPEN

    def _splits(self) -> bool:
        before, tag, _ = self._held.partition(self._tag)
        answers = self._answered or bool(before.strip())
        return bool(tag) and (self._inside or not (self._leading_only and answers))

    def _beginning_of_a_tag(self) -> int:
        """Length of the longest end of the held text with which the next tag begins."""
        if self._leading_only and self._answered:
            return 0
        longest = min(len(self._tag) - 1, len(self._held))
        return next(
            (n for n in range(longest, 0, -1) if self._tag.startswith(self._held[-n:])),
            0,
        )

    def _said(self, text: str) -> list[Piece]:
        if self._inside:
            return [Piece(text, thinking=True)] if text else []
        if not self._answered:
            text = (self._space + text).lstrip() if self._thought else self._space + text
            if not text.strip():
                # Blank so far: it may yet turn out to stand before a thought.
                self._space = text
                return []
            self._answered = True
            self._space = ""
        return [Piece(text, thinking=False)] if text else []
