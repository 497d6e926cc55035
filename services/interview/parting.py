"""When the stream of an interview ends on a server that stops: where nobody is cut short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

from viva.interview.v1 import conversation_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.conversation.attendance import Seat
from services.runtime.errors import Draining
from services.runtime.request import current_request

ANSWER_SECONDS = 10.0
"""So long from the stop on a candidate's answer goes on; then the next server hears it again."""
SILENCE_SECONDS = 1.0
"""In so much silence nothing has begun, and a stream whose caller has ended it is over."""
LOOK_SECONDS = 0.1

ResponseT = TypeVar("ResponseT", pb.ConverseResponse, pb.ListenResponse)


class Parting:
    """Passes an interview's events on until the server stops, and nobody speaks any more."""

    def __init__(self) -> None:
        self.seat: Seat | None = None
        """The client's, where this server drives the interview."""
        self._told = False

    def _speaks(self, since: float) -> bool:
        """Whether somebody speaks, `since` seconds after the server was to stop."""
        if self.seat is None:
            return self._told
        state, now = self.seat.conversation.state, asyncio.get_running_loop().time()
        # Who sends nothing any more goes on at the next server.
        answers = state.speech.under_way and now - self.seat.heard_at < SILENCE_SECONDS
        return state.floor is not None or (answers and since < ANSWER_SECONDS)

    def _note(self, event: conversation_pb2.InterviewEvent) -> None:
        match event.WhichOneof("event"):
            case "utterance_started":
                self._told = True
            case "utterance_ended":
                self._told = False

    async def events(self, responses: AsyncIterator[ResponseT]) -> AsyncGenerator[ResponseT, None]:
        """The stream's events; `responses` is closed by whoever opened it.

        Raises:
            Draining: The server stops, and what was being said has been said.
        """
        draining = current_request().draining
        notice = asyncio.create_task(draining.wait())
        following: asyncio.Future[ResponseT | None] | None = None
        now = asyncio.get_running_loop().time
        began = silent = None
        try:
            while True:
                following = following or asyncio.ensure_future(anext(responses, None))
                if not draining.is_set():
                    both: set[asyncio.Future[Any]] = {following, notice}
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                else:
                    began = now() if began is None else began
                    silent = None if self._speaks(now() - began) else silent or now()
                    if silent is not None and now() - silent >= SILENCE_SECONDS:
                        raise Draining
                    await asyncio.wait({following}, timeout=LOOK_SECONDS)
                if following.done():
                    response, following = following.result(), None
                    if response is None:
                        return
                    self._note(response.event)
                    yield response
        finally:
            notice.cancel()
            if following is not None:
                following.cancel()
                await asyncio.wait({following})
