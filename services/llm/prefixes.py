"""Which beginnings of conversations are worth keeping computed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

_REMEMBERED = 1024


class PrefixPolicy:
    """Chooses the prefix of a prompt that the engine computes once and reuses.

    A system prompt with its examples comes again and again, each time with another last message.
    Whole messages that were seen before are that prefix: it is kept from its second sighting on.
    """

    def __init__(self, *, largest: int, gain: int = 32) -> None:
        """Sets the policy up.

        Args:
            largest: Longest prefix worth keeping, in tokens; 0 keeps none.
            gain: Tokens that a prefix must save over a shorter one that is kept already.
        """
        self._largest = largest
        self._gain = gain
        self._sightings: OrderedDict[int, int] = OrderedDict()
        self._kept: OrderedDict[int, None] = OrderedDict()

    def choose(self, tokens: Sequence[int], boundaries: Sequence[int]) -> int:
        """Length in tokens of the prefix to reuse, 0 for none.

        Args:
            tokens: The prompt's token ids.
            boundaries: Lengths of the prefixes that end with a whole message, ascending.
        """
        kept = repeated = 0
        chosen = None
        for length in boundaries:
            if not self._gain <= length <= self._largest or length >= len(tokens):
                continue
            name = hash(tuple(tokens[:length]))
            if self._see(name) > 1:
                repeated, chosen = length, name
            if name in self._kept:
                kept = length
        if chosen is None or repeated - kept < self._gain:
            return kept
        self._kept[chosen] = None
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        return repeated

    def _see(self, name: int) -> int:
        self._sightings[name] = self._sightings.pop(name, 0) + 1
        if len(self._sightings) > _REMEMBERED:
            self._sightings.popitem(last=False)
        return self._sightings[name]
