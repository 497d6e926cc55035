"""Stable text from changing hypotheses: local agreement.

While someone speaks, each decode of the growing audio rewrites the end of the text. What two
decodes in a row say alike is shown as stable (LocalAgreement-2: Liu et al. 2020, Macháček et al.
2023) and never changes again; what a later decode says differently about it is ignored.

Texts are compared by their letters and digits only, so a comma or a capital that comes and goes
does not hold the text back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# How much of the stable text's end is looked for in a hypothesis that spells it differently.
_ANCHOR = 48
# Words at the end of a hypothesis that the next one often changes.
_UNSETTLED = 5
# A word: characters between spaces, or a single character of a script without spaces.
_WORD = re.compile(r"[぀-ヿ㐀-鿿豈-﫿]|[^\s぀-ヿ㐀-鿿豈-﫿]+")


@dataclass(frozen=True, slots=True)
class _Letters:
    """The letters and digits of a text, and where in it each ends."""

    folded: str
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> _Letters:
        folded: list[str] = []
        ends: list[int] = []
        for position, character in enumerate(text):
            if character.isalnum():
                # Only the first: "ß" folds to two letters.
                folded.append(character.casefold()[0])
                ends.append(position + 1)
        return cls("".join(folded), tuple(ends))


def continuation(stable: str, hypothesis: str) -> int:
    """The index in `hypothesis` where what follows `stable` begins.

    Where the hypothesis spells the stable text differently, the place that costs the fewest edits.
    """
    known, heard = _Letters.of(stable), _Letters.of(hypothesis)
    count = len(known.folded)
    if count == 0:
        return 0
    if heard.folded.startswith(known.folded):
        return heard.ends[count - 1]
    count = _closest_prefix(known.folded, heard.folded)
    return _between_words(hypothesis, heard.ends[count - 1]) if count else 0


def _between_words(text: str, index: int) -> int:
    """The end or beginning of the word that the index lies in, whichever is nearer."""
    for word in _WORD.finditer(text):
        if word.start() < index < word.end():
            if index - word.start() >= word.end() - index:
                return word.end()
            return len(text[: word.start()].rstrip())
    return index


def _closest_prefix(known: str, heard: str) -> int:
    """The length of the prefix of `heard` with the smallest edit distance to `known`.

    Only the last letters of `known` are compared, against the region of `heard` around its length.
    """
    skipped = max(0, len(known) - _ANCHOR)
    anchor = known[skipped:]
    first = max(0, skipped - _ANCHOR)
    region = heard[first : len(known) + _ANCHOR]
    # One row a letter of the anchor; it may begin anywhere in the region unless it is the whole.
    costs = list(range(len(region) + 1)) if skipped == 0 else [0] * (len(region) + 1)
    for row, letter in enumerate(anchor, start=1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(region, start=1):
            replaced = diagonal + (letter != other)
            diagonal = costs[column]
            costs[column] = min(replaced, costs[column] + 1, costs[column - 1] + 1)
    expected = len(known) - first
    best = min(range(len(costs)), key=lambda i: (costs[i], abs(i - expected)))
    return first + best


def _agreed(previous: str, current: str) -> int:
    """The length of the start of `current` that `previous` says too, in whole words.

    The last words of both are never part of it: the last may be half a word, and the one before is
    often heard anew when more is said.
    """
    before, now = _Letters.of(_without_last_words(previous)), _Letters.of(current)
    common = 0
    for one, other in zip(before.folded, now.folded, strict=False):
        if one != other:
            break
        common += 1
    end = now.ends[common - 1] if common else 0
    agreed = 0
    for word in _words(current)[:-_UNSETTLED]:
        # Punctuation after the word may still change: the stable text ends with a letter or digit.
        letters = _Letters.of(word[0])
        word_end = word.start() + letters.ends[-1]
        if word_end > end:
            break
        agreed = word_end
    return agreed


def _without_last_words(text: str) -> str:
    words = _words(text)
    return text[: words[-_UNSETTLED].start()] if len(words) >= _UNSETTLED else ""


def _words(text: str) -> list[re.Match[str]]:
    return [match for match in _WORD.finditer(text) if any(map(str.isalnum, match[0]))]


@dataclass(slots=True)
class StableText:
    """The text of one turn as it becomes known.

    The turn is decoded in one window that grows; when it gets long, its settled beginning is closed
    off and a new window starts.
    """

    _closed: str = ""
    _stable: str = ""
    _previous: str = field(default="")

    @property
    def stable(self) -> str:
        """What will not change any more."""
        return (self._closed + self._stable).lstrip()

    @property
    def unstable(self) -> str:
        """The rest of the newest hypothesis; it follows `stable` directly."""
        rest = self._previous[len(self._stable) :]
        return rest if self.stable else rest.lstrip()

    @property
    def closed(self) -> str:
        """The text of the windows before the present one."""
        return self._closed

    @property
    def window_stable(self) -> int:
        """How many characters of the present window's text are stable."""
        return len(self._stable)

    @property
    def window_text(self) -> str:
        """The present window's text: its stable beginning and the newest hypothesis after it."""
        return self._previous

    def update(self, hypothesis: str, *, agree: bool = True) -> None:
        """Takes the next hypothesis of the present window.

        Args:
            hypothesis: The window's whole text.
            agree: Whether what it says like the one before becomes stable.
        """
        merged = self._merge(hypothesis)
        agreed = _agreed(self._previous, merged) if agree else 0
        if agreed > len(self._stable):
            self._stable = merged[:agreed]
        self._previous = merged

    def settle(self, hypothesis: str) -> str:
        """The whole turn's text if `hypothesis` is the last of the present window."""
        return (self._closed + self._merge(hypothesis)).strip()

    def close_window(self, length: int) -> None:
        """Closes `length` characters of `window_text` off; the rest starts a new window."""
        self._closed += self._previous[:length]
        self._previous = self._previous[length:]
        self._stable = self._stable[length:]

    def _merge(self, hypothesis: str) -> str:
        return self._stable + hypothesis[continuation(self._stable, hypothesis) :]
