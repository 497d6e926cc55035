"""The segments of one caller, spoken in the order they began."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from services.runtime.errors import InvalidField, NotFound, Overloaded
from services.tts.delivery import SegmentDelivery
from services.tts.segment import Chunk, Done, Segment

_MAX_WAITING = 64
# Names of segments that are over, kept so that a late cancel or flush of one is no error.
_MAX_REMEMBERED = 1024


class SpeechStream:
    """Takes text, flushes and cancels; gives chunks and ends."""

    def __init__(self, new_segment: Callable[[str], Segment]) -> None:
        """Takes what makes a segment of a given name."""
        self._new_segment = new_segment
        self._segments: OrderedDict[str, Segment] = OrderedDict()
        self._over: OrderedDict[str, bool] = OrderedDict()
        self._latest: Segment | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None

    def text(
        self,
        segment_id: str,
        text: str,
        *,
        last: bool,
        delivery: SegmentDelivery | None = None,
    ) -> None:
        """Takes a piece of a segment's text; a new name begins a segment and ends the one before.

        Args:
            segment_id: The segment.
            text: The piece.
            last: Whether the segment's text ends with it.
            delivery: How the segment is spoken; with its first piece only.

        Raises:
            InvalidField: The segment's text is over, or it began without this delivery.
            Overloaded: Too many segments wait.
        """
        segment = self._segments.get(segment_id)
        if segment is None and segment_id not in self._over:
            segment = self._begin(segment_id)
            if delivery is not None:
                segment.deliver(delivery)
        elif delivery is not None:
            raise InvalidField("text.delivery", "comes with a segment's first piece only")
        given_up = segment.given_up if segment else self._over[segment_id]
        # Text may still be on its way to a segment that was just cancelled, or has failed.
        if given_up:
            if segment is not None and last:
                segment.end()
            return
        if segment is None or segment.ended:
            raise InvalidField("text.segment_id", f"the text of segment {segment_id!r} has ended")
        segment.write(text)
        if last:
            segment.end()

    def flush(self, segment_id: str) -> None:
        """Speaks what has come of a segment.

        Raises:
            NotFound: It never began.
        """
        segment = self._known(segment_id, "flush.segment_id")
        if segment is not None:
            segment.flush()

    def cancel(self, segment_id: str) -> None:
        """Stops a segment; one that is over stays as it is.

        Raises:
            NotFound: It never began.
        """
        segment = self._known(segment_id, "cancel.segment_id")
        if segment is not None:
            segment.cancel()

    def close(self) -> None:
        """Nothing more comes; what is pending is finished."""
        if self._latest is not None:
            self._latest.end()
        self._closed = True
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Stops everything; `messages` raises the error."""
        self._error = error
        for segment in self._segments.values():
            segment.cancel()
        self._changed.set()

    async def messages(self) -> AsyncGenerator[tuple[str, Chunk | Done]]:
        """What is to be sent, with the segment's name.

        Raises:
            Exception: What `fail` was told.
        """
        try:
            while True:
                self._raise_failure()
                segment = next(iter(self._segments.values()), None)
                if segment is None:
                    if self._closed:
                        return
                    await self._changed.wait()
                    self._changed.clear()
                    continue
                async with aclosing(segment.chunks()) as chunks:
                    async for chunk in chunks:
                        self._raise_failure()
                        yield segment.id, chunk
                self._raise_failure()
                await self._retire(segment)
                yield segment.id, segment.done()
        finally:
            for segment in list(self._segments.values()):
                await segment.aclose()

    def _begin(self, segment_id: str) -> Segment:
        if len(self._segments) >= _MAX_WAITING:
            raise Overloaded(f"{_MAX_WAITING} segments wait to be spoken", retry_after=5.0)
        if self._latest is not None:
            self._latest.end()
        segment = self._segments[segment_id] = self._latest = self._new_segment(segment_id)
        self._changed.set()
        return segment

    def _known(self, segment_id: str, field: str) -> Segment | None:
        segment = self._segments.get(segment_id)
        if segment is None and segment_id not in self._over:
            raise NotFound("segment", segment_id, field)
        return segment

    async def _retire(self, segment: Segment) -> None:
        given_up = segment.given_up
        if given_up:
            await segment.abandon()
        del self._segments[segment.id]
        self._over[segment.id] = given_up
        if len(self._over) > _MAX_REMEMBERED:
            self._over.popitem(last=False)

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error
