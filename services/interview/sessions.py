"""The live sessions of this process: opened from the record, driven, given up, handed on."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from weakref import WeakValueDictionary

import grpc

from services.interview.conversation import events as m
from services.interview.conversation.attendance import Attendance
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.conversation import Conversation
from services.interview.conversation.journal import Journal
from services.interview.conversation.pace import Pace, Partners
from services.interview.conversation.state import SessionState
from services.interview.creation import Creation
from services.interview.interviewer.casting import Casting
from services.interview.leases import Leases
from services.interview.rebuilding import clock_of, rebuilt
from services.interview.record import Failure, Interview, Speaker, State, may_become
from services.interview.recordings.excerpt import excerpt
from services.interview.recordings.recordings import Recordings
from services.interview.room import Room
from services.interview.store.store import Lease, LeaseLost, Store
from services.interview.unstorable import Unstorable
from services.runtime.errors import (
    Draining,
    FailedPrecondition,
    NotFound,
    ServiceError,
    Unavailable,
)
from services.runtime.logs import log
from services.runtime.postgres.failures import StoreFailed
from services.runtime.request import current_request
from services.runtime.telemetry import trace_alone

_logger = logging.getLogger(__name__)

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
        conversations_a_user: And how many of them may be one user's.
        finished: Finished interviews whose events are kept for clients that come back.
        journal_bytes: Events kept an interview.
        absence_seconds: How long a candidate may be gone before the interview is paused.
        abandoned_seconds: How long until it is laid aside, to be gone on with at any time.
    """

    conversations: int = 50
    conversations_a_user: int = 5
    finished: int = 20
    journal_bytes: int = 8 * 1024 * 1024
    absence_seconds: float = 60.0
    abandoned_seconds: float = 1800.0


@dataclass
class Session:
    """One interview that this process drives.

    Attributes:
        task: What drives it.
        suspending: Whether another process may have it next, or has it already.
        ending: Whether it is ended without a report.
    """

    attendance: Attendance
    lease: Lease
    task: asyncio.Task[None] | None = None
    suspending: bool = False
    ending: bool = False

    @property
    def conversation(self) -> Conversation:
        """What is said in it."""
        return self.attendance.conversation

    @property
    def chronicle(self) -> Chronicle:
        """Its record."""
        return self.conversation.chronicle

    @property
    def user(self) -> str:
        """Whose it is."""
        return self.chronicle.interview.user

    @property
    def absent_since(self) -> float | None:
        """Since when nobody is there, on the event loop's clock; None while somebody is."""
        return self.attendance.absent_since

    @property
    def answered(self) -> bool:
        """Whether the candidate has said anything in it yet."""
        return any(turn.speaker is Speaker.CANDIDATE for turn in self.chronicle.interview.turns)

    @property
    def leaving(self) -> bool:
        """Whether it is being handed on, and takes nobody in any more."""
        return self.suspending and not self.over

    @property
    def going(self) -> bool:
        """Whether its place will be free in a moment."""
        return self.suspending or self.ending

    @property
    def over(self) -> bool:
        """Whether it is kept only for clients that come back."""
        return self.conversation.over

    async def until_done(self, command: m.Command) -> None:
        """Waits until a command that was sent is carried out, or can't be any more."""
        done = asyncio.create_task(command.done.wait())
        try:
            # A session that breaks, or is handed on, carries nothing out any more.
            wait = {done} if self.task is None else {done, self.task}
            await asyncio.wait(wait, return_when=asyncio.FIRST_COMPLETED)
        finally:
            done.cancel()

    def evict(self, error: Exception) -> None:
        """Ends the client's call with an error."""
        self.attendance.close()
        if self.attendance.seat is not None:
            self.attendance.seat.end(error)


class Sessions:
    """All of them. `run` keeps their leases."""

    def __init__(
        self,
        *,
        name: str,
        lease_seconds: float,
        creation: Creation,
        casting: Casting,
        store: Store,
        recordings: Recordings,
        partners: Partners,
        pace: Pace,
        limits: Limits,
        tasks: asyncio.TaskGroup,
        predecessors: Container[str] = (),
    ) -> None:
        self._creation = creation
        self._casting = casting
        self._store = store
        self._recordings = recordings
        self._partners = partners
        self.pace = pace
        self._limits = limits
        self._tasks = tasks
        self._live: dict[str, Session] = {}
        self._room = Room(limits.conversations, limits.conversations_a_user)
        self._closing = False
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unstorable = Unstorable()
        self._trying: asyncio.Task[None] | None = None
        self.leases = Leases(
            store, name, lease_seconds, self._lease_lost, predecessors, self._renewed
        )
        self._renewing = tasks.create_task(self.leases.renew())

    def here(self, interview_id: str) -> Session | None:
        """The session of an interview, if it is this process's."""
        return self._live.get(interview_id)

    def alone(self, interview_id: str) -> asyncio.Lock:
        """Held while it is decided who drives an interview, or whether it is there at all.

        The lease keeps other processes away, but not other calls of this one.
        """
        return self._opening.setdefault(interview_id, asyncio.Lock())

    def _running(self) -> Iterator[Session]:
        return (
            session
            for session in self._live.values()
            if session.task is not None and not session.task.done() and not session.over
        )

    async def open(self, user: str, interview_id: str) -> Session:
        """The session of an interview, rebuilt from the record if nobody has it.

        Raises:
            NotFound: No such interview.
            HeldElsewhere: Another orchestrator drives it.
            FailedPrecondition: There is nothing to go on with.
            Overloaded: As many interviews are held as this server takes on.
            Draining: This server stops.
            StoreFailed: The record cannot be read.
        """
        async with self.alone(interview_id):
            while (session := self.here(interview_id)) is not None:
                if not session.leaving or session.task is None:
                    return session
                # It is laid aside, which keeps what was said: then it is gone on with from there.
                await asyncio.wait([session.task])
            if current_request().draining.is_set():
                raise Draining
            with self._room.coming(user):
                self._leaver(user)  # Where nobody can leave, nothing is read.
                return await self._begin(user, interview_id)

    def _leaver(self, user: str) -> Session | None:
        """Which session has to leave for one of this user's that is being opened; if any."""
        if self._closing:
            raise Draining
        staying = [session for session in self._running() if not session.going]
        return self._room.leaver(staying, user, asyncio.get_running_loop().time())

    async def _make_room(self, user: str) -> None:
        """Has others laid aside until there is a place for a session of this user's.

        Raises:
            Overloaded: Somebody is in each of them.
            Draining: This server stops.
        """
        while True:
            if (leaver := self._leaver(user)) is not None:
                log(_logger, logging.INFO, "makes room", interview=leaver.lease.interview_id)
                self.hand_on(leaver.lease.interview_id)
            elif self._room.fits(sum(1 for _ in self._running())):
                return
            else:
                going = [each.task for each in self._running() if each.going and each.task]
                await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)

    async def _begin(self, user: str, interview_id: str) -> Session:
        lease = await self.leases.take(interview_id)
        try:
            session = await self._rebuild(user, interview_id, lease)
        except BaseException:
            await self.leases.give_back(lease)
            raise
        self._drive(session)
        return session

    async def _rebuild(self, user: str, interview_id: str, lease: Lease) -> Session:
        # Read under the lease: nobody else writes any more.
        interview = await self._store.find(user, interview_id)
        kept = await self._store.session(interview_id)
        if interview is None or kept is None:
            raise NotFound("interview", interview_id, "interview_id")
        if interview.state in {State.CANCELLED, State.FAILED}:
            raise FailedPrecondition(
                "WRONG_STATE", f"the interview is {interview.state.name.lower()}: it is over"
            )
        # Not before: for what cannot be gone on with, or while the store is away, nobody leaves.
        await self._make_room(user)
        if interview.state is State.LIVE:  # by the lease that was just taken
            interview = replace(interview, state=State.PAUSED)
        state, events = kept
        restored = rebuilt(state)
        clock = clock_of(interview, events)
        journal = Journal(
            clock.now,
            self._limits.journal_bytes,
            interview.epoch,
            events,
            told=restored.told if restored is not None else None,
        )
        chronicle = Chronicle(
            interview,
            self._store,
            clock,
            journal,
            lease,
            previous=await self._store.previous(user, interview),
        )
        return Session(self._attendance(chronicle, interview, restored), lease)

    def _attendance(
        self, chronicle: Chronicle, interview: Interview, restored: SessionState | None
    ) -> Attendance:
        conversation = Conversation(
            chronicle,
            self._creation.questions(interview),
            self._partners,
            self.pace,
            self._casting.cast(interview),
            self._recordings.recorder(interview.user, interview.id),
            restored=restored,
            alternatives=self._creation.alternatives(interview),
            listen=partial(excerpt, self._recordings, interview.user, interview.id),
        )
        return Attendance(
            conversation,
            absence_seconds=self._limits.absence_seconds,
            abandoned_seconds=self._limits.abandoned_seconds,
            abandoned=lambda: self.hand_on(interview.id),
        )

    def _drive(self, session: Session) -> None:
        name = session.lease.interview_id
        self._live[name] = session
        # Until somebody joins: whom it is opened for may be refused, or only pause it.
        session.attendance.wait()
        # A context of its own: the conversation outlives the call that began it.
        session.task = self._tasks.create_task(
            self._hold(session), name=f"interview-{name}", context=trace_alone()
        )
        over = [name for name, kept in self._live.items() if kept.over]
        for name in over[: max(0, len(over) - self._limits.finished)]:
            forgotten = self._live.pop(name)
            self._tasks.create_task(self.leases.give_back(forgotten.lease))

    async def _hold(self, session: Session) -> None:
        """Drives a session. Whatever becomes of it, the others go on."""
        try:
            await session.conversation.run()
        except asyncio.CancelledError:
            # Whatever else ends this process leaves it to others as it was stored last.
            if session.ending and not session.suspending:
                # Here, and not where it was asked for: who asked may have gone away meanwhile.
                await self._guarded(session, session.conversation.discard())
            raise
        except Exception as error:  # noqa: BLE001 - this interview ends, not the others
            await self._broke(session, error)
        finally:
            # Its timers would keep all of the conversation until they fire.
            session.attendance.close()
            # One that is over is kept for clients that come back, and found by its lease.
            self._leave_off(session, forget=not session.over)
            if not session.over:
                # Who has joined since it was known is told, too.
                session.evict(Draining() if session.suspending else _moved())
                await self.leases.give_back(session.lease)

    def _leave_off(self, session: Session, *, forget: bool) -> None:
        """Records nothing more of a session, unless it has a successor here already."""
        name = session.lease.interview_id
        if self._live.get(name) is session:
            self._recordings.close(name)
            if forget:
                del self._live[name]

    async def _broke(self, session: Session, error: Exception) -> None:
        if _caused_by(error, LeaseLost):
            session.evict(_moved())
        elif (failure := _caused_by(error, StoreFailed)) is not None:
            # What was committed is whole: a client that comes back finds it paused.
            session.evict(failure)
        else:
            log(_logger, logging.ERROR, "conversation failed", cause=error)
            await self._guarded(session, session.conversation.fail(BROKE_DOWN))

    async def _guarded(self, session: Session, ending: object) -> None:
        """Lets a conversation end; if that can't be kept, its clients are told at least."""
        try:
            await ending  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - nor must this end the others
            log(_logger, logging.ERROR, "end not kept", cause=error)
            told = _caused_by(error, ServiceError)
            session.evict(told or FailedPrecondition("WRONG_STATE", "the interview is over"))

    def _lease_lost(self, lease: Lease) -> None:
        session = self._live.get(lease.interview_id)
        if session is not None and session.lease == lease and session.task is not None:
            session.suspending = True
            session.evict(_moved())
            # One that is over, too: another may have deleted it meanwhile, or given it away.
            self._leave_off(session, forget=True)
            session.task.cancel()

    def _renewed(self, *, works: bool) -> None:
        """Looks after what alone cannot be stored."""
        if not works:
            self._unstorable.failed()
            return
        failures = {
            session.lease.interview_id: session.conversation.failed_commits
            for session in self._running()
            if not session.going
        }
        suspects = self._unstorable.worked(failures)
        if suspects and (self._trying is None or self._trying.done()):
            self._trying = self._tasks.create_task(self._lay_aside_unstorable(suspects))

    async def _lay_aside_unstorable(self, names: Sequence[str]) -> None:
        """Lays aside what alone cannot be stored: the others go on, and it from what is kept."""
        for name in names:
            session = self.here(name)
            if session is None or session.over:
                continue
            conversation = session.conversation
            try:
                await self._store.try_out(session.user, len(conversation.state.to_json()))
            except StoreFailed:
                self._unstorable.failed()
                return  # It was logged.
            except Exception as error:  # noqa: BLE001 - a fault of ours must end no interview
                log(_logger, logging.ERROR, "store not tried out", cause=error)
                return
            if conversation.failed_commits:
                log(_logger, logging.ERROR, "cannot be stored, laid aside", interview=name)
                self.hand_on(name)

    async def fail(self, user: str, interview_id: str, error: ServiceError) -> None:
        """Marks as failed what nobody drives and nobody can go on with; what was said is kept.

        Raises:
            ServiceError: Another drives it, or the store failed.
        """
        async with self.alone(interview_id):
            if self.here(interview_id) is not None:
                return
            lease = await self.leases.take(interview_id)
            try:
                interview = await self._store.find(user, interview_id)
                kept = await self._store.session(interview_id)
                if (
                    interview is None
                    or kept is None
                    or not may_become(interview.state, State.FAILED)
                ):
                    return
                failed = replace(
                    interview,
                    state=State.FAILED,
                    ended=datetime.now(UTC),
                    failure=Failure(error.code.value[0], error.reason, error.message),
                )
                await self._store.commit(lease, failed, kept[0], [])
            finally:
                await self.leases.give_back(lease)
        log(_logger, logging.WARNING, "interview failed", interview=interview_id, cause=error)

    async def end(self, interview_id: str) -> None:
        """Ends a session without a report; whoever listens is told."""
        session = self._live.get(interview_id)
        if session is None:
            return
        session.attendance.close()
        if session.task is not None and not session.task.done():
            session.ending = True
            session.task.cancel()
            await asyncio.wait([session.task])
        self._live.pop(interview_id, None)
        await self.leases.give_back(session.lease)

    async def lay_aside(self, interview_id: str) -> None:
        """Has nobody here drive an interview any more; what was said is kept.

        Under `alone`: nobody takes it up meanwhile.
        """
        session = self.here(interview_id)
        if session is not None and session.task is not None and not session.over:
            self.hand_on(interview_id)
            await asyncio.wait([session.task])
        # One that is over, or has ended meanwhile, is kept for clients that come back.
        await self.end(interview_id)

    async def suspend(self, session: Session) -> None:
        """Hands a session on: what was said is kept, and another orchestrator may have it."""
        if self._may_leave(session):
            await self._suspend(session)
        elif session.task is not None:
            # Somebody else has begun to: until it is done the lease is needed.
            await asyncio.wait([session.task])

    def _may_leave(self, session: Session) -> bool:
        """Lets nobody join a session from now on; False if it ends already."""
        if session.task is None or session.task.done() or session.suspending:
            return False
        session.suspending = True
        session.attendance.close()
        return True

    async def _suspend(self, session: Session) -> None:
        assert session.task is not None  # noqa: S101 - by `_may_leave`
        command = m.HandOn()
        session.conversation.send(command)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.pace.commit):
                await session.until_done(command)
        session.task.cancel()
        await asyncio.wait([session.task])
        session.evict(Draining())

    def hand_on(self, interview_id: str) -> None:
        """Has a session suspended in the background."""
        session = self._live.get(interview_id)
        if session is not None and not session.over and self._may_leave(session):
            self._tasks.create_task(self._suspend(session), context=contextvars.Context())

    async def close(self) -> None:
        """Hands on whatever runs, at the end of the server's life."""
        self._closing = True
        await asyncio.gather(*(self.suspend(session) for session in list(self._running())))
        self._renewing.cancel()
        await asyncio.wait([self._renewing])
        await asyncio.gather(*(self.leases.give_back(kept.lease) for kept in self._live.values()))


def _moved() -> Unavailable:
    """What a client is told whose interview has another server now."""
    return Unavailable("another server has the interview now; join again", 0.1)


_ErrorT = type[LeaseLost] | type[StoreFailed] | type[ServiceError]


def _caused_by(error: BaseException, kind: _ErrorT) -> LeaseLost | ServiceError | None:
    """The error of this kind in an error or group of errors; None if there is none."""
    if isinstance(error, BaseExceptionGroup):
        found = (_caused_by(each, kind) for each in error.exceptions)
        return next((each for each in found if each is not None), None)
    return error if isinstance(error, kind) else None
