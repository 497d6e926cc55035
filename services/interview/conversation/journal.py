"""The numbered events of one interview, kept within a bound so that a client can catch up."""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter

from services.interview.events import Entry, Event
from services.interview.record import SpokenWord, new_epoch

REBUILT_GAP = 10_000
"""A journal that is rebuilt goes on so far behind the last event that is known to have been told:
what was told after that had numbers too."""
OVERHEAD_BYTES = 256
"""What an event without audio and text counts for; the bound is on memory, roughly."""
WORD_BYTES = 192
"""What a word with its times counts for."""


def _weight(event: Event) -> int:
    return OVERHEAD_BYTES + _bytes(event)


def _bytes(value: object) -> int:
    """What the audio, texts and words in a value take."""
    match value:
        case SpokenWord():
            return WORD_BYTES
        case bytes() | str():
            return sys.getsizeof(value)
        case tuple():
            return sum(map(_bytes, value))
        case _ if is_dataclass(value):
            return sum(_bytes(getattr(value, each.name)) for each in fields(value))
    return 0


class Journal:
    """Events in order. The oldest are dropped once `max_bytes` is passed."""

    def __init__(
        self,
        now: Callable[[], float],
        max_bytes: int,
        epoch: bytes | None = None,
        kept: Sequence[Entry] = (),
        told: int | None = None,
    ) -> None:
        """Takes the interview's clock, in seconds, and what is rebuilt: the epoch, the events.

        `told` is the newest number that is known to have been told; None where nothing was.
        """
        self.epoch = epoch or new_epoch()
        """Tells this run of events from another of the same interview, with the same numbers."""
        self._now = now
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque(kept)
        self._bytes = sum(_weight(entry.event) for entry in kept)
        known = [entry.seq for entry in kept[-1:]] + ([] if told is None else [told])
        self._last_seq = max(known) + REBUILT_GAP if known else 0
        self._changed = asyncio.Event()

    @property
    def last_seq(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._last_seq

    def append(self, event: Event) -> Entry:
        """Numbers and keeps an event."""
        self._last_seq += 1
        entry = Entry(self._last_seq, self._now(), event)
        self._entries.append(entry)
        self._bytes += _weight(event)
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            self._bytes -= _weight(self._entries.popleft().event)
        self.wake()
        return entry

    def after(self, seq: int) -> Sequence[Entry]:
        """The kept events with numbers above `seq`."""
        if not self._entries or self._entries[-1].seq <= seq:
            return ()
        # Almost always the newest few are asked for.
        behind = self._last_seq - seq
        if behind <= len(self._entries) and self._entries[-behind].seq == seq + 1:
            skip = len(self._entries) - behind
        else:
            skip = bisect_right(self._entries, seq, key=attrgetter("seq"))
        return [self._entries[index] for index in range(skip, len(self._entries))]

    def wake(self) -> None:
        """Wakes everyone who waits in `changed`."""
        self._changed.set()
        self._changed = asyncio.Event()

    def changed(self) -> asyncio.Event:
        """Is set at the next append or wake. Take it before looking, wait for it after."""
        return self._changed
