"""Speech made once for lines that are said often.

In memory: bounded by bytes, the least recently used go first. On disk: only lines that were
declared frequent, which a server that starts again finds there; what a user's interview says is
never written down. Callers who want the same
line at the same time share one synthesis.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.runtime import metrics
from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, Overloaded
from services.tts.speech import Speech, TokenSpan

_SPAN_BYTES = 120


@dataclass(frozen=True, slots=True)
class Cost:
    """What making a line took.

    Attributes:
        queue_time: Seconds waiting.
        compute_time: Seconds in the model.
        batch_size: Items in its batch; 0 when no model ran.
    """

    queue_time: float = 0.0
    compute_time: float = 0.0
    batch_size: int = 0


FREE = Cost()

Make = Callable[[], Awaitable[tuple[Speech, Cost]]]


@dataclass(slots=True, eq=False)
class _Making:
    task: asyncio.Task[tuple[Speech, Cost]]
    waiters: int = 0


class SpeechCache:
    """Finished speech by key."""

    def __init__(self, max_bytes: int, directory: Path | None = None) -> None:
        """Sets the cache up.

        Args:
            max_bytes: Memory for samples; 0 keeps nothing, and still shares simultaneous work.
            directory: Where kept lines are; None keeps none.
        """
        self._max_bytes = max_bytes
        self._directory = directory
        self._speech: OrderedDict[str, Speech] = OrderedDict()
        self._bytes = 0
        self._making: dict[tuple[str, Priority], _Making] = {}
        self._kept = _stored(directory) if directory is not None else set()

    @property
    def held_bytes(self) -> int:
        """Memory in use."""
        return self._bytes

    async def get(
        self, key: str, make: Make, *, priority: Priority = Priority.INTERACTIVE
    ) -> tuple[Speech, Cost]:
        """The speech of a key, made by `make` if it is not there; hits cost nothing.

        A caller who is cancelled leaves the work to the others who wait for it; the last one stops
        it. Whatever `make` raises is raised to those who waited.
        """
        found = await self._find(key)
        metrics.CACHE_LOOKUPS.labels("speech", "miss" if found is None else "hit").inc()
        while True:
            if found is not None:
                return found, FREE
            mine = (key, priority) not in self._making
            making = self._join(key, make, priority)
            try:
                speech, cost = await asyncio.shield(making.task)
            except (DeadlineExpired, Overloaded):
                if mine:
                    raise
                # It was the other caller's deadline.
                found = await self._find(key)
                continue
            finally:
                self._leave(key, making, priority)
            return speech, cost if mine else FREE

    async def _find(self, key: str) -> Speech | None:
        """What is in memory, or kept on disk."""
        found = self._speech.get(key)
        if found is not None:
            self._speech.move_to_end(key)
            return found
        if self._directory is None or key not in self._kept:
            return None
        stored = await asyncio.to_thread(_read, self._directory / f"{key}.npz")
        if stored is None:
            self._kept.discard(key)
        else:
            self._put(key, stored)
        return stored

    def _join(self, key: str, make: Make, priority: Priority) -> _Making:
        making = self._making.get((key, priority))
        if making is None:
            making = _Making(asyncio.create_task(self._make(key, make), name="tts-line"))
            self._making[key, priority] = making
        making.waiters += 1
        return making

    def _leave(self, key: str, making: _Making, priority: Priority) -> None:
        making.waiters -= 1
        if making.waiters and not making.task.done():
            return
        if self._making.get((key, priority)) is making:
            del self._making[key, priority]
        making.task.cancel()

    async def _make(self, key: str, make: Make) -> tuple[Speech, Cost]:
        speech, cost = await make()
        self._put(key, speech)
        return speech, cost

    def _put(self, key: str, speech: Speech) -> None:
        size = _size(speech)
        if size > self._max_bytes or key in self._speech:
            return
        self._speech[key] = speech
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._speech.popitem(last=False)
            self._bytes -= _size(oldest)
        metrics.CACHE_BYTES.labels("speech").set(self._bytes)

    def keeps(self, key: str) -> bool:
        """Whether a frequent line is on disk already."""
        return key in self._kept

    async def keep(self, key: str, make: Make) -> None:
        """Has a frequent line ready: from disk, else made in batch priority and written there."""
        speech, _ = await self.get(key, make, priority=Priority.BATCH)
        if self._directory is not None and key not in self._kept:
            await asyncio.to_thread(_write, self._directory / f"{key}.npz", speech)
            self._kept.add(key)


def _stored(directory: Path) -> set[str]:
    """The keys that are on disk; an index of names, so that a miss costs no look at the disk."""
    return {file.stem for file in directory.glob("*.npz") if not file.name.startswith(".")}


def _size(speech: Speech) -> int:
    return speech.samples.nbytes + _SPAN_BYTES * len(speech.spans)


def _write(file: Path, speech: Speech) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    spans = [[span.token, span.start, span.end] for span in speech.spans]
    with scratch.open("wb") as out:
        np.savez(
            out,
            samples=speech.samples,
            meta=np.array(json.dumps({"rate": speech.sample_rate_hz, "spans": spans})),
        )
    scratch.replace(file)


def _read(file: Path) -> Speech | None:
    try:
        with np.load(file) as stored:
            meta = json.loads(str(stored["meta"]))
            samples = stored["samples"].astype(np.float32)
    except (OSError, ValueError, KeyError):
        # Absent, or damaged: it is made again.
        return None
    return Speech(samples, meta["rate"], tuple(TokenSpan(*span) for span in meta["spans"]))
