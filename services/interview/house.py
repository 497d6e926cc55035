"""All interviews of a server: who may join which, and how many at once."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.interview.clients.seams import DependencyFailed
from services.interview.conversation import messages as m
from services.interview.conversation.attendance import Attendance, Seat
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.conversation import Conversation
from services.interview.conversation.journal import Journal
from services.interview.conversation.pace import Pace, Partners
from services.interview.events import AudioFormat
from services.interview.questions.bank import Bank, Question
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import plan
from services.interview.record import Interview, InterviewSettings, State
from services.interview.reports.report import Report
from services.interview.store.store import Store
from services.runtime.errors import FailedPrecondition, InvalidField, NotFound, Overloaded
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

LANGUAGES = frozenset({"en"})
"""Languages the bank and the interviewer's lines are written in."""
FULL_RETRY_SECONDS = 30.0
"""Interviews end every few minutes; asking sooner rarely helps."""


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
    """Creates, finds, joins and ends interviews; owns their conversations."""

    def __init__(
        self,
        *,
        bank: Bank,
        index: QuestionIndex,
        store: Store,
        partners: Partners,
        pace: Pace,
        limits: Limits,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._bank = bank
        self._index = index
        self._store = store
        self._partners = partners
        self._pace = pace
        self._limits = limits
        self._tasks = tasks
        self._live: dict[str, Attendance] = {}
        self._holding: set[asyncio.Task[None]] = set()

    async def create(self, user: str, settings: InterviewSettings) -> Interview:
        """Creates an interview and chooses its questions.

        Raises:
            InvalidField: A language that is not spoken, a voice or a question that does not exist,
                or conditions that leave too few questions.
        """
        if settings.language.split("-")[0].lower() not in LANGUAGES:
            raise InvalidField(
                "settings.language", f"interviews are held in: {', '.join(sorted(LANGUAGES))}"
            )
        if settings.voice is not None:
            await self._check_voice(settings.voice)
        chosen = [
            self._chosen(number, question_id)
            for number, question_id in enumerate(settings.question_ids)
        ]
        interview_id = uuid.uuid4().hex
        questions = await plan(settings, self._index, chosen, seed=interview_id)
        if len(questions) < settings.rounds:
            raise InvalidField(
                "settings.rounds",
                f"only {len(questions)} questions fit these categories and this difficulty",
            )
        interview = Interview(
            id=interview_id,
            user=user,
            settings=settings,
            plan=tuple(question.id for question in questions),
            created=datetime.now(UTC),
        )
        await self._store.save(interview)
        return interview

    async def _check_voice(self, voice: str) -> None:
        try:
            there = await self._partners.synthesiser.voices()
        except DependencyFailed:
            return  # the interview begins without a voice, and may find this one later
        if voice not in there:
            raise InvalidField(
                "settings.voice", f"no voice {voice!r}; there are {', '.join(sorted(there))}"
            )

    def _chosen(self, number: int, question_id: str) -> Question:
        question = self._bank.find(question_id)
        if question is None:
            raise InvalidField(f"settings.question_ids[{number}]", f"no question {question_id!r}")
        return question

    async def find(self, user: str, interview_id: str) -> Interview:
        """The user's interview.

        Raises:
            NotFound: There is none, or it is another user's.
        """
        interview = await self._store.find(user, interview_id)
        if interview is None:
            raise NotFound("interview", interview_id, "interview_id")
        attendance = self._live.get(interview_id)
        if attendance is None:
            return interview
        return attendance.conversation.chronicle.interview

    async def page(
        self, user: str, limit: int, before: str | None
    ) -> tuple[Sequence[Interview], str | None]:
        """Up to `limit` of the user's interviews, newest first, and where the next page begins."""
        found = await self._store.page(user, limit + 1, before)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

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
        raise FailedPrecondition("REPORT_NOT_READY", "the interview is not over yet")

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

    async def join(
        self,
        user: str,
        interview_id: str,
        *,
        source: AudioFormat | None,
        output: AudioFormat | None,
        last_seq: int | None,
    ) -> Seat:
        """Seats a client in an interview, and begins the interview at the first time.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: It is over and its events are no longer kept.
            InvalidField: `last_seq` is of the future.
            Overloaded: As many interviews are held as this server takes on.
        """
        interview = await self.find(user, interview_id)
        if last_seq is not None and last_seq > interview.last_seq:
            raise InvalidField(
                "join.last_seq", f"the newest event of this interview is {interview.last_seq}"
            )
        attendance = self._live.get(interview_id)
        if attendance is None:
            if interview.state is not State.READY:
                raise FailedPrecondition(
                    "WRONG_STATE", f"the interview is {interview.state.name.lower()}"
                )
            attendance = self._open(interview)
        return attendance.join(source, output, last_seq)

    def leave(self, seat: Seat) -> None:
        """A client is gone."""
        attendance = self._live.get(seat.conversation.chronicle.interview.id)
        if attendance is not None:
            attendance.leave(seat)

    async def speaker(self, user: str, interview_id: str) -> tuple[Attendance, Seat]:
        """The interview a client that listens may speak in, and its seat there.

        Raises:
            NotFound: No such interview.
            FailedPrecondition: Nobody has joined it.
        """
        interview = await self.find(user, interview_id)
        attendance = self._live.get(interview.id)
        if attendance is None or attendance.seat is None:
            raise FailedPrecondition("NOT_JOINED", "open Listen before Speak")
        return attendance, attendance.seat

    def _open(self, interview: Interview) -> Attendance:
        running = [a for a in self._live.values() if not a.conversation.over]
        if len(running) >= self._limits.conversations:
            raise Overloaded("as many interviews are held as this server takes", FULL_RETRY_SECONDS)
        clock = InterviewClock()
        chronicle = Chronicle(
            interview, self._store, clock, Journal(clock.now, self._limits.journal_bytes)
        )
        questions = [q for q in map(self._bank.find, interview.plan) if q is not None]
        conversation = Conversation(chronicle, questions, self._partners, self._pace)
        self._live[interview.id] = Attendance(
            conversation,
            absence_seconds=self._limits.absence_seconds,
            abandoned_seconds=self._limits.abandoned_seconds,
        )
        # A context of its own: the conversation outlives the call that began it.
        holding = self._tasks.create_task(self._hold(conversation), context=contextvars.Context())
        self._holding.add(holding)
        holding.add_done_callback(self._holding.discard)
        self._forget()
        return self._live[interview.id]

    def close(self) -> None:
        """Gives up every conversation, at the end of the server's life."""
        for attendance in self._live.values():
            attendance.close()
        for holding in self._holding:
            holding.cancel()

    async def _hold(self, conversation: Conversation) -> None:
        try:
            await conversation.run()
        except Exception as error:
            log(_logger, logging.ERROR, "conversation failed", error=type(error).__name__)
            _logger.debug("stack", exc_info=error)
            await conversation.abandon()

    def _forget(self) -> None:
        over = [name for name, kept in self._live.items() if kept.conversation.over]
        for name in over[: max(0, len(over) - self._limits.finished)]:
            del self._live[name]
