"""All interviews of a server: who may do what with which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from services.interview.conversation import events as m
from services.interview.conversation.attendance import Seat, taken_over
from services.interview.creation import Creation
from services.interview.events import AudioFormat
from services.interview.leases import HeldElsewhere
from services.interview.record import InterviewSettings, Speaker, State, Turn
from services.interview.recordings.recordings import Recordings
from services.interview.refusals import named
from services.interview.reports.report import Report
from services.interview.sessions import Session, Sessions
from services.interview.store.store import (
    Expiry,
    Holder,
    Lease,
    LeaseLost,
    NotExpired,
    Place,
    Store,
    Summary,
)
from services.interview.tokens import resumed_seq
from services.interview.uses import Uses
from services.runtime.errors import (
    Draining,
    FailedPrecondition,
    NotFound,
    QuotaExhausted,
    ServiceError,
    Unavailable,
)
from services.runtime.request import current_request

_PAGE = 100
_SOME = 50
_RETURN_SECONDS = 3.0
"""So long it is waited for that a use is given back, so that who asks next may have it."""


class House:
    """Finds, joins and ends interviews. What another orchestrator drives is `HeldElsewhere`."""

    def __init__(
        self,
        *,
        creation: Creation,
        uses: Uses,
        store: Store,
        recordings: Recordings,
        sessions: Sessions,
    ) -> None:
        self._creation = creation
        self._uses = uses
        self._store = store
        self._recordings = recordings
        self._sessions = sessions

    # Reading: from the record, which has every finished turn.

    async def create(
        self, user: str, settings: InterviewSettings, key: str | None = None
    ) -> Summary:
        """Creates an interview; see `Creation.create`.

        Where the user's quota is used up, the oldest of theirs that never began makes room.
        """
        try:
            created = await self._creation.create(user, settings, key)
        except ServiceError as error:
            if error.reason != QuotaExhausted.reason or not await self._make_room(user):
                raise
            created = await self._creation.create(user, settings, key)
        return await self.find(user, created.id)

    async def _make_room(self, user: str) -> bool:
        """Deletes the oldest interview that never began, and has its use given back; if any."""
        for interview_id in await self._store.unbegun(user, _SOME):
            with suppress(HeldElsewhere, LeaseLost, NotFound):  # Somebody joins or deletes it.
                async with self._sessions.alone(interview_id):
                    if self._own(user, interview_id) is not None:
                        continue
                    returning = await self._delete_rows(user, interview_id, unbegun=True)
                if returning is not None:
                    await self._recordings.delete(interview_id)
                    await asyncio.wait({returning}, timeout=_RETURN_SECONDS)
                    return True
        return False

    async def find(self, user: str, interview_id: str) -> Summary:
        """The user's interview.

        Raises:
            NotFound: There is none, or it is another user's.
        """
        if (session := self._own(user, interview_id)) is not None:
            interview = session.chronicle.interview
            return Summary(interview, len(interview.turns))
        found = await self._store.summary(user, interview_id)
        if found is None:
            raise NotFound("interview", interview_id, "interview_id")
        return found

    def _own(self, user: str, interview_id: str) -> Session | None:
        """The session here, if it is this user's."""
        session = self._sessions.here(interview_id)
        if session is None or session.chronicle.interview.user != user:
            return None
        return session

    def _driven(self, user: str, interview_id: str) -> Session | None:
        """`_own`, unless it is being handed on: then it takes no command and no client."""
        session = self._own(user, interview_id)
        return None if session is None or session.leaving else session

    def _newest(self, found: Summary) -> Summary:
        session = self._sessions.here(found.interview.id)
        if session is None:
            return found
        interview = session.chronicle.interview
        return Summary(interview, len(interview.turns))

    async def page(
        self, user: str, limit: int, before: Place | None
    ) -> tuple[Sequence[Summary], Place | None]:
        """Up to `limit` of the user's interviews, newest first, and the place of the last.

        The place is None when there are no more behind it.
        """
        found = await self._store.page(user, limit + 1, before)
        page = [self._newest(kept) for kept in found[:limit]]
        if len(found) <= limit:
            return page, None
        last = page[-1].interview
        return page, Place(last.created, last.id)

    async def turns(
        self, user: str, interview_id: str, limit: int, start: int
    ) -> tuple[Sequence[Turn], int | None]:
        """Up to `limit` turns from number `start`, and where the next page begins.

        Raises:
            NotFound: No such interview.
        """
        count = (await self.find(user, interview_id)).turn_count
        if (session := self._own(user, interview_id)) is not None:
            page: Sequence[Turn] = session.chronicle.interview.turns[start : start + limit]
        else:
            page = await self._store.turns(user, interview_id, limit, start)
        following = start + limit
        return page, following if following < count else None

    async def report(self, user: str, interview_id: str) -> Report:
        """The report of a finished interview.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It has no report, or not yet.
        """
        state = (await self.find(user, interview_id)).interview.state
        report = await self._store.report(user, interview_id)
        if report is not None:
            return report
        if state is State.CANCELLED:
            raise FailedPrecondition("NO_REPORT", "the interview ended before any answer")
        if state is State.FAILED:
            raise FailedPrecondition("NO_REPORT", "the interview failed before its report")
        raise FailedPrecondition(
            "REPORT_NOT_READY", f"the interview is {named(state)}; it has no report yet"
        )

    async def recording(
        self, user: str, interview_id: str, speaker: Speaker, start: float, end: float
    ) -> tuple[int, AsyncIterator[tuple[float, bytes]]] | None:
        """A voice between two moments of the interview's clock; None if nothing was recorded.

        Returns:
            Samples a second, and pieces with when they begin.

        Raises:
            NotFound: No such interview.
            HeldElsewhere: It is being recorded by another orchestrator.
        """
        state = (await self.find(user, interview_id)).interview.state
        if state is State.LIVE and self._own(user, interview_id) is None:
            await self._elsewhere(interview_id)
        return await self._recordings.read(user, interview_id, speaker, start, end)

    async def recorded(
        self, user: str, interview_id: str, speaker: Speaker, start: float, end: float
    ) -> tuple[int, AsyncIterator[tuple[float, bytes]]] | None:
        """`recording`, as far as it is known here of what another orchestrator drives."""
        return await self._recordings.read(user, interview_id, speaker, start, end)

    async def _elsewhere(self, interview_id: str) -> None:
        """Raises HeldElsewhere if another orchestrator drives the interview."""
        holder = await self._store.holder(interview_id)
        leases = self._sessions.leases
        if holder is None or leases.is_mine(holder) or leases.succeeded(holder):
            return
        if leases.is_gone(interview_id, holder):
            return
        raise HeldElsewhere(interview_id, holder)

    def gone(self, interview_id: str, holder: Holder) -> None:
        """A holder does not answer: what is asked of it can be asked of this process."""
        self._sessions.leases.gone(interview_id, holder)

    # Commands.

    async def pause(self, user: str, interview_id: str) -> Summary:
        """Pauses a live interview.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is not live.
            HeldElsewhere: Another orchestrator drives it.
        """
        session = await self._fit(user, interview_id, {State.LIVE, State.PAUSED}, "paused")
        if session is None:
            await self._elsewhere(interview_id)
            found = await self.find(user, interview_id)
            if found.interview.state is State.PAUSED:
                return found
            session = await self._sessions.open(user, interview_id)
        return await self._carry_out(session, m.Pause())

    async def resume(self, user: str, interview_id: str) -> Summary:
        """Goes on with a paused interview, also after days and in another process.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is not paused.
            HeldElsewhere: Another orchestrator drives it.
        """
        session = await self._fit(user, interview_id, {State.PAUSED, State.LIVE}, "resumed")
        session = session or await self._sessions.open(user, interview_id)
        if session.absent_since is not None:
            session.attendance.wait()
        return await self._carry_out(session, m.Resume())

    async def end(self, user: str, interview_id: str) -> Summary:
        """Ends an interview; one that is over stays as it is.

        Raises:
            NotFound: No such interview.
            HeldElsewhere: Another orchestrator drives it.
        """
        found = await self.find(user, interview_id)
        session = self._driven(user, interview_id)
        if found.interview.state.over:
            return found
        if session is None and found.interview.state is State.READY:
            found = await self._cancel(user, interview_id)
            if found.interview.state.over:
                return found
            session = self._driven(user, interview_id)  # Somebody has joined it meanwhile.
        session = session or await self._sessions.open(user, interview_id)
        return await self._carry_out(session, m.End())

    async def _cancel(self, user: str, interview_id: str) -> Summary:
        """Ends what nobody ever joined; what somebody joins at the same time stays as it is."""
        async with self._sessions.alone(interview_id):
            if self._own(user, interview_id) is None:
                await self._cancel_ready(user, interview_id)
        return await self.find(user, interview_id)

    async def _cancel_ready(self, user: str, interview_id: str) -> None:
        lease = await self._sessions.leases.take(interview_id)
        try:
            interview = await self._store.find(user, interview_id)
            if interview is None:
                raise NotFound("interview", interview_id, "interview_id")
            if interview.state is State.READY:
                now = datetime.now(UTC)
                cancelled = replace(interview, state=State.CANCELLED, ended=now)
                await self._store.commit(lease, cancelled, b"", [])
        finally:
            await self._sessions.leases.give_back(lease)

    async def _fit(
        self, user: str, interview_id: str, fit: set[State], moved: str
    ) -> Session | None:
        """The session here, if there is one, of an interview in one of these states."""
        found = await self.find(user, interview_id)
        session = self._driven(user, interview_id)
        if found.interview.state not in fit or (session is not None and session.over):
            raise FailedPrecondition(
                "WRONG_STATE",
                f"the interview is {named(found.interview.state)}; it cannot be {moved}",
            )
        return session

    async def _carry_out(self, session: Session, command: m.Pause | m.Resume | m.End) -> Summary:
        interview = session.chronicle.interview
        session.conversation.send(command)
        await session.until_done(command)
        return await self.find(interview.user, interview.id)

    async def delete(self, user: str, interview_id: str, expiry: Expiry | None = None) -> None:
        """Deletes an interview and all that is kept of it; one that is live is ended first.

        With an `expiry` only what is too old still: what is live is not.
        Asked for again, soon after, it is answered in the same way. One that never began counts no
        more in its user's quota. The rows go first and with them the keys of the recordings, so
        that nothing of what was said outlives a crash.

        Raises:
            NotFound: No such interview.
            NotExpired: It is not too old.
            HeldElsewhere: Another orchestrator drives it.
        """
        returning = None
        async with self._sessions.alone(interview_id):
            if (session := self._own(user, interview_id)) is not None:
                if expiry is not None and not session.over:
                    raise NotExpired(interview_id)
                await self._sessions.end(interview_id)
            if session is not None or await self._store.summary(user, interview_id) is not None:
                returning = await self._delete_rows(user, interview_id, expiry)
            elif (deletion := await self._store.deleted(user, interview_id)) is None:
                raise NotFound("interview", interview_id, "interview_id")
            elif deletion.unbegun:  # Whoever deleted it may have died before it counted no more.
                returning = self._uses.give_back(user, interview_id)
        await self._recordings.delete(interview_id)
        if returning is not None:
            await asyncio.wait({returning}, timeout=_RETURN_SECONDS)

    async def _delete_rows(
        self, user: str, interview_id: str, expiry: Expiry | None = None, *, unbegun: bool = False
    ) -> asyncio.Task[None] | None:
        """Deletes an interview, perhaps only an unbegun one; what gives its use back, if it was."""
        lease = await self._sessions.leases.take(interview_id)
        returning = None
        try:
            # Read under the lease: nobody joins it any more.
            kept = await self._store.summary(user, interview_id)
            uncounted = kept is not None and kept.interview.unbegun
            if unbegun and not uncounted:
                return None
            try:
                await self._store.delete(user, interview_id, lease, expiry)
            finally:
                # Whatever came of it, and before anything else is waited for: whoever asked may be
                # gone. It is not given back as long as there is the interview.
                if uncounted:
                    returning = self._uses.give_back(user, interview_id)
        except LeaseLost:
            await self._elsewhere(interview_id)
            raise
        finally:
            await self._sessions.leases.give_back(lease)
        return returning

    async def transfer(self, user: str, heir: str) -> int:
        """Gives all of a user's interviews to another user; how many they were.

        What there is goes all or nothing, and then what has been created meanwhile. What is live is
        laid aside, also where another orchestrator drives it: that one finds its lease lost.
        Whoever joins next goes on from what was kept.

        Raises:
            StoreFailed: The store could not do it.
        """
        moved = 0
        while names := await self._names(user):
            moved += await self._transfer(user, heir, names)
        return moved

    async def _transfer(self, user: str, heir: str, names: Sequence[str]) -> int:
        async with AsyncExitStack() as held:
            leases = []
            # In one order, or two that do this at once could wait for each other.
            for name in sorted(names):
                await held.enter_async_context(self._sessions.alone(name))
                await self._sessions.lay_aside(name)
                with suppress(NotFound):  # It was deleted meanwhile.
                    lease = await self._seize(name)
                    held.push_async_callback(self._sessions.leases.give_back, lease)
                    leases.append(lease)
            # What was just laid aside is recorded as the user's, for the last time.
            await self._recordings.book_once()
            return await self._store.transfer(
                user, heir, leases, partial(self._recordings.rewrapped, heir)
            )

    async def _names(self, user: str) -> Sequence[str]:
        names: list[str] = []
        place: Place | None = None
        while page := await self._store.page(user, _PAGE, place):
            names += [found.interview.id for found in page]
            place = Place(page[-1].interview.created, page[-1].interview.id)
        return names

    async def _seize(self, interview_id: str) -> Lease:
        try:
            return await self._sessions.leases.take(interview_id)
        except HeldElsewhere as held:
            self.gone(interview_id, held.holder)
            return await self._sessions.leases.take(interview_id)

    # Taking part.

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
            HeldElsewhere: Another orchestrator drives it.
        """
        interview = (await self.find(user, interview_id)).interview
        session = self._driven(user, interview_id)
        if session is None and resume_token is not None:
            # What can never be taken is refused before anything is begun for it.
            resumed_seq(resume_token, interview_id, epoch=interview.epoch, newest=2**63)
        session = session or await self._sessions.open(user, interview_id)
        last_seq: int | None = None
        if resume_token is not None:
            journal = session.chronicle.journal
            last_seq = resumed_seq(
                resume_token, interview_id, epoch=journal.epoch, newest=journal.last_seq
            )
        return session.attendance.join(source, output, last_seq, client)

    def leave(self, seat: Seat, *, stopping: bool = False) -> None:
        """A client is gone; where this process is stopping, another one has the interview next."""
        interview = seat.conversation.chronicle.interview
        session = self._sessions.here(interview.id)
        if session is None or session.conversation is not seat.conversation:
            return
        session.attendance.leave(seat)
        if stopping and seat is session.attendance.seat:
            self._sessions.hand_on(interview.id)

    async def speaker(
        self, user: str, interview_id: str, client: str | None
    ) -> tuple[Session, Seat]:
        """The interview a client that listens may speak in, and its seat there.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: Nobody has joined it.
            Aborted: Another client listens.
            HeldElsewhere: Another orchestrator drives it.
            Draining: This one has handed it on, or stops and nobody listens here.
        """
        session = self._own(user, interview_id)
        if session is None and not current_request().draining.is_set():
            await self.find(user, interview_id)
            await self._elsewhere(interview_id)
        elif session is None or session.leaving:
            raise Draining
        if session is None or session.attendance.seat is None:
            raise FailedPrecondition("NOT_JOINED", "open Listen before Speak")
        seat = session.attendance.seat
        if seat.client != client:
            raise taken_over()
        return session, seat

    async def stored(self, session: Session) -> None:
        """Waits until all that was said so far in an interview is stored.

        Raises:
            Unavailable: It is not, and perhaps never will be. What was said under a number may be
                said again.
        """
        if session.over:
            return
        command = m.Store()
        session.conversation.send(command)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._sessions.pace.stored):
                await session.until_done(command)
        if not command.stored.is_set():
            raise Unavailable("what was said could not be stored in time; say it again", 0.5)

    async def settled(self, command: m.Store) -> None:
        """Waits until what was said is stored, or could not be in the time that storing has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._sessions.pace.stored):
                await command.done.wait()
