"""All interviews of a server: who may join which, and how many at once."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import grpc

from services.interview.conversation import events as m
from services.interview.conversation.attendance import Attendance, Seat, taken_over
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.conversation import Conversation
from services.interview.conversation.journal import Journal
from services.interview.conversation.pace import Pace, Partners
from services.interview.creation import Creation
from services.interview.events import AudioFormat
from services.interview.interviewer.casting import Casting
from services.interview.record import Failure, Interview, InterviewSettings, Speaker, State, Turn
from services.interview.recordings.recordings import Recordings
from services.interview.recordings.track import Track
from services.interview.reports.report import Report
from services.interview.store.store import Place, Store
from services.interview.tokens import resumed_seq
from services.runtime.errors import FailedPrecondition, NotFound, Overloaded
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

FULL_RETRY_SECONDS = 30.0
"""Interviews end every few minutes; asking sooner rarely helps."""
DELETED_REMEMBERED = 1024
"""Deletions that may be asked for again, by a proxy or client that lost the answer."""
BROKE_DOWN = Failure(
    grpc.StatusCode.INTERNAL.value[0],
    "CONVERSATION_FAILED",
    "the conversation broke down; what was said before is kept, the server's log says more",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server takes on.

    Attributes:
        conversations: Interviews held at the same time.
        finished: Finished interviews whose events are kept for clients that come back.
        journal_bytes: Events kept an interview.
        absence_seconds: How long a candidate may be gone before the interview is paused.
        abandoned_seconds: How long until it is ended.
    """

    conversations: int = 50
    finished: int = 20
    journal_bytes: int = 8 * 1024 * 1024
    absence_seconds: float = 60.0
    abandoned_seconds: float = 1800.0


class House:
    """Finds, joins and ends interviews; owns their conversations."""

    def __init__(
        self,
        *,
        creation: Creation,
        casting: Casting,
        store: Store,
        recordings: Recordings,
        partners: Partners,
        pace: Pace,
        limits: Limits,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._creation = creation
        self._casting = casting
        self._store = store
        self._recordings = recordings
        self._partners = partners
        self._pace = pace
        self._limits = limits
        self._tasks = tasks
        self._live: dict[str, Attendance] = {}
        self._holding: dict[str, asyncio.Task[None]] = {}
        self._deleted: dict[tuple[str, str], None] = {}

    async def create(
        self, user: str, settings: InterviewSettings, key: str | None = None
    ) -> Interview:
        """Creates an interview; see `Creation.create`."""
        created = await self._creation.create(user, settings, key)
        return await self.find(user, created.id)

    async def find(self, user: str, interview_id: str) -> Interview:
        """The user's interview.

        Raises:
            NotFound: There is none, or it is another user's.
        """
        interview = await self._store.find(user, interview_id)
        if interview is None:
            raise NotFound("interview", interview_id, "interview_id")
        return self._newest(interview)

    def _newest(self, interview: Interview) -> Interview:
        attendance = self._live.get(interview.id)
        return interview if attendance is None else attendance.conversation.chronicle.interview

    async def page(
        self, user: str, limit: int, before: Place | None
    ) -> tuple[Sequence[Interview], Place | None]:
        """Up to `limit` of the user's interviews, newest first, and the place of the last.

        The place is None when there are no more behind it.
        """
        found = await self._store.page(user, limit + 1, before)
        page = [self._newest(kept) for kept in found[:limit]]
        more = len(found) > limit
        return page, Place(page[-1].created, page[-1].id) if more else None

    async def turns(
        self, user: str, interview_id: str, limit: int, start: int
    ) -> tuple[Sequence[Turn], int | None]:
        """Up to `limit` turns from number `start`, and where the next page begins.

        Raises:
            NotFound: No such interview.
        """
        turns = (await self.find(user, interview_id)).turns
        following = start + limit
        return turns[start:following], following if following < len(turns) else None

    async def report(self, user: str, interview_id: str) -> Report:
        """The report of a finished interview.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It has no report, or not yet.
        """
        interview = await self.find(user, interview_id)
        report = await self._store.report(user, interview_id)
        if report is not None:
            return report
        if interview.state is State.CANCELLED:
            raise FailedPrecondition("NO_REPORT", "the interview ended before any answer")
        if interview.state is State.FAILED:
            raise FailedPrecondition("NO_REPORT", "the interview failed before its report")
        raise FailedPrecondition("REPORT_NOT_READY", "the interview is not over yet")

    async def recording(
        self, user: str, interview_id: str, speaker: Speaker, start: float, end: float
    ) -> tuple[Track, AsyncIterator[tuple[float, bytes]]] | None:
        """A voice between two moments of the interview's clock; None if nothing was recorded.

        Raises:
            NotFound: No such interview.
        """
        await self.find(user, interview_id)
        track = self._recordings.track(interview_id, speaker)
        return None if track is None else (track, track.read(start, end))

    async def pause(self, user: str, interview_id: str) -> Interview:
        """Pauses a live interview.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is not live.
        """
        return await self._command(user, interview_id, m.Pause(), {State.LIVE, State.PAUSED})

    async def resume(self, user: str, interview_id: str) -> Interview:
        """Goes on with a paused interview.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is not paused.
        """
        return await self._command(user, interview_id, m.Resume(), {State.PAUSED, State.LIVE})

    async def end(self, user: str, interview_id: str) -> Interview:
        """Ends an interview; one that is over stays as it is.

        Raises:
            NotFound: No such interview.
        """
        interview = await self.find(user, interview_id)
        if interview.state.over:
            return interview
        if interview.state is State.READY and interview_id not in self._live:
            now = datetime.now(UTC)
            cancelled = replace(interview, state=State.CANCELLED, ended=now)
            await self._store.save(cancelled)
            return cancelled
        return await self._command(user, interview_id, m.End(), set(State))

    async def _command(
        self, user: str, interview_id: str, command: m.Pause | m.Resume | m.End, fit: set[State]
    ) -> Interview:
        interview = await self.find(user, interview_id)
        attendance = self._live.get(interview_id)
        if interview.state not in fit or attendance is None or attendance.conversation.over:
            raise FailedPrecondition(
                "WRONG_STATE", f"the interview is {interview.state.name.lower()}"
            )
        attendance.conversation.send(command)
        await command.done.wait()
        return await self.find(user, interview_id)

    async def delete(self, user: str, interview_id: str) -> None:
        """Deletes an interview and all that is kept of it; one that is live is ended first.

        Asked for again, soon after, it is answered in the same way.

        Raises:
            NotFound: No such interview.
        """
        if (user, interview_id) in self._deleted:
            return
        await self.find(user, interview_id)
        if (attendance := self._live.get(interview_id)) is not None:
            attendance.close()
            if (holding := self._holding.get(interview_id)) is not None:
                holding.cancel()
                await asyncio.wait([holding])
            await attendance.conversation.discard()
        self._live.pop(interview_id, None)
        await self._store.delete(user, interview_id)
        self._recordings.delete(interview_id)
        self._deleted[user, interview_id] = None
        if len(self._deleted) > DELETED_REMEMBERED:
            del self._deleted[next(iter(self._deleted))]

    async def join(
        self,
        user: str,
        interview_id: str,
        *,
        source: AudioFormat | None,
        output: AudioFormat | None,
        resume_token: str | None,
        client: str | None = None,
    ) -> Seat:
        """Seats a client in an interview, and begins the interview at the first time.

        `client` is the name it made up for itself.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is over and its events are no longer kept, or those that the
                token names are not.
            InvalidField: The token is not of this interview.
            Overloaded: As many interviews are held as this server takes on.
        """
        interview = await self.find(user, interview_id)
        attendance = self._live.get(interview_id)
        last_seq: int | None = None
        if resume_token is not None:
            journal = attendance.conversation.chronicle.journal if attendance else None
            last_seq = resumed_seq(
                resume_token,
                interview_id,
                epoch=journal.epoch if journal else b"",
                newest=journal.last_seq if journal else 0,
            )
        if attendance is None:
            if interview.state is not State.READY:
                raise FailedPrecondition(
                    "WRONG_STATE", f"the interview is {interview.state.name.lower()}"
                )
            attendance = self._open(interview)
        return attendance.join(source, output, last_seq, client)

    def leave(self, seat: Seat) -> None:
        """A client is gone."""
        attendance = self._live.get(seat.conversation.chronicle.interview.id)
        if attendance is not None:
            attendance.leave(seat)

    async def speaker(
        self, user: str, interview_id: str, client: str | None
    ) -> tuple[Attendance, Seat]:
        """The interview a client that listens may speak in, and its seat there.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: Nobody has joined it.
            Aborted: Another client listens.
        """
        interview = await self.find(user, interview_id)
        attendance = self._live.get(interview.id)
        if attendance is None or attendance.seat is None:
            raise FailedPrecondition("NOT_JOINED", "open Listen before Speak")
        if attendance.seat.client != client:
            raise taken_over()
        return attendance, attendance.seat

    def _open(self, interview: Interview) -> Attendance:
        running = [a for a in self._live.values() if not a.conversation.over]
        if len(running) >= self._limits.conversations:
            raise Overloaded("as many interviews are held as this server takes", FULL_RETRY_SECONDS)
        clock = InterviewClock()
        chronicle = Chronicle(
            interview, self._store, clock, Journal(clock.now, self._limits.journal_bytes)
        )
        conversation = Conversation(
            chronicle,
            self._creation.questions(interview),
            self._partners,
            self._pace,
            self._casting.cast(interview),
            self._recordings.recorder(interview.user, interview.id),
        )
        self._live[interview.id] = Attendance(
            conversation,
            absence_seconds=self._limits.absence_seconds,
            abandoned_seconds=self._limits.abandoned_seconds,
        )
        # A context of its own: the conversation outlives the call that began it.
        holding = self._tasks.create_task(self._hold(conversation), context=contextvars.Context())
        self._holding[interview.id] = holding
        holding.add_done_callback(lambda _: self._holding.pop(interview.id))
        self._forget()
        return self._live[interview.id]

    def close(self) -> None:
        """Gives up every conversation, at the end of the server's life."""
        for attendance in self._live.values():
            attendance.close()
        for holding in self._holding.values():
            holding.cancel()

    async def _hold(self, conversation: Conversation) -> None:
        try:
            await conversation.run()
        except asyncio.CancelledError:
            # Here, and not where it was asked for: who asked may have gone away meanwhile.
            await conversation.discard()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, this interview ends, not the others
            log(_logger, logging.ERROR, "conversation failed", cause=error)
            try:
                await conversation.fail(BROKE_DOWN)
            except Exception as again:  # noqa: BLE001 - nor do they when that can't be kept
                log(_logger, logging.ERROR, "failure not kept", cause=again)
        finally:
            self._recordings.close(conversation.chronicle.interview.id)

    def _forget(self) -> None:
        over = [name for name, kept in self._live.items() if kept.conversation.over]
        for name in over[: max(0, len(over) - self._limits.finished)]:
            del self._live[name]
