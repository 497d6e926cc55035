"""Whether the voice makes what it was asked for: lines are made ahead, and nobody waits for them.

A synthesiser that hangs would otherwise be found out by the next line that is due. When lines are
owed and no sound comes of any of them, the voice is tried out with a little of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.interview.clients.seams import DependencyFailed
from services.interview.conversation.speech import PreparedSpeech

SLOW_SECONDS = 1.5
"""Nothing comes for so long before the voice is tried out; a slow one's first piece takes 1.2 s."""
TRY_SECONDS = 3.0
"""What a little may take: a phrase that is being made for somebody else comes before it."""
LOOK_SECONDS = 0.25


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
            if self._moved():
                moved_at = clock()
            elif self._owed and clock() - moved_at >= SLOW_SECONDS:
                await self._try()
                moved_at = clock()

    def _moved(self) -> bool:
        """Whether anything has come, or is not wanted any more, since the last look."""
        moved = {speech for speech in self._owed if speech.looked_at()}
        self._owed = {speech for speech in self._owed if speech.awaited}
        return bool(moved)

    async def _try(self) -> None:
        try:
            await self._try_out(TRY_SECONDS)
        except DependencyFailed as failure:
            if not self._moved() and self._owed:
                self._failed(failure)
