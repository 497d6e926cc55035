"""Whether the voice makes what it was asked for: lines are made ahead, and nobody waits for them.

A synthesiser that hangs would otherwise be found out by the next line that is due. When lines are
owed and no sound comes of any of them, the voice is tried out with a little of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.interview.clients.seams import DependencyFailed
from services.interview.conversation.speech import PreparedSpeech

SLOW_SECONDS = 1.2
"""Nothing comes for so long before the voice is tried out, at least; and at most:"""
LONGEST_SLOW_SECONDS = 3.0
TRY_SECONDS = 2.0
"""What a little may take, at least: a phrase that is being made for somebody else comes before it.
And at most:"""
LONGEST_TRY_SECONDS = 4.0
GAP_FACTOR = 1.3
TRY_FACTOR = 2.5
"""A slow machine is given so many times what it took before."""
_FADING = 0.9
"""What it took before is forgotten, so much is left from one time to the next."""
LOOK_SECONDS = 0.2


class VoiceWatch:
    """Looks at the lines that are being made.

    Args:
        tasks: Owns the looking.
        try_out: Has the voice say a little, in so many seconds; raises `DependencyFailed`.
        failed: Takes the failure of a voice that makes nothing.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        try_out: Callable[[float], Awaitable[None]],
        failed: Callable[[DependencyFailed], None],
    ) -> None:
        self._tasks = tasks
        self._try_out = try_out
        self._failed = failed
        self._owed: set[PreparedSpeech] = set()
        self._looking: asyncio.Task[None] | None = None
        self._gap = self._took = 0.0

    def owes(self, speech: PreparedSpeech) -> None:
        """A line was asked for."""
        self._owed.add(speech)
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.create_task(self._look())

    def close(self) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        moved_at = clock()
        while self._owed:
            await asyncio.sleep(LOOK_SECONDS)
            gap = clock() - moved_at
            if self._moved():
                self._gap = max(gap, _FADING * self._gap)
                moved_at = clock()
            elif gap >= min(LONGEST_SLOW_SECONDS, max(SLOW_SECONDS, GAP_FACTOR * self._gap)):
                await self._try()
                moved_at = clock()

    def _moved(self) -> bool:
        """Whether any sound has come since the last look; what is not wanted any more is none."""
        moved = [speech for speech in self._owed if speech.looked_at()]
        self._owed = {speech for speech in self._owed if speech.awaited}
        return bool(moved)

    async def _try(self) -> None:
        if not self._owed:
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await self._try_out(min(LONGEST_TRY_SECONDS, max(TRY_SECONDS, TRY_FACTOR * self._took)))
        except DependencyFailed as failure:
            if not self._moved() and self._owed:
                self._failed(failure)
        else:
            self._took = max(clock() - began, _FADING * self._took)
