"""One live interview, as others see it: what is heard comes in, what is said goes out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from types import MappingProxyType

from services.interview.conversation import actions as a
from services.interview.conversation import events as m
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.driver import Driver
from services.interview.conversation.ears import Ears
from services.interview.conversation.pace import Pace, Partners
from services.interview.conversation.script import Alternatives, Script
from services.interview.conversation.state import OrderKind, SessionState
from services.interview.events import StateChanged
from services.interview.interviewer.personas import Cast
from services.interview.interviewer.summarising import Listen
from services.interview.metrics import SESSIONS
from services.interview.questions.bank import Question
from services.interview.record import Failure, State
from services.interview.recordings.recorder import NO_RECORDER, Guarded, Recorder
from services.interview.store.store import LeaseLost
from services.runtime.logs import log
from services.runtime.postgres.failures import StoreFailed
from services.runtime.request import Request, set_current_request

_logger = logging.getLogger(__name__)

_ORDERS: dict[type[m.Command], OrderKind] = {
    m.Pause: OrderKind.PAUSE,
    m.Resume: OrderKind.RESUME,
    m.End: OrderKind.END,
    m.HandOn: OrderKind.HAND_ON,
}


class Conversation:
    """The live loop of one interview. `run` is its life; the other methods send it messages."""

    def __init__(
        self,
        chronicle: Chronicle,
        plan: Sequence[Question],
        partners: Partners,
        pace: Pace,
        cast: Cast = Cast(),  # noqa: B008 - a frozen value
        recorder: Recorder = NO_RECORDER,
        restored: SessionState | None = None,
        alternatives: Alternatives = MappingProxyType({}),
        listen: Listen | None = None,
    ) -> None:
        """Takes the session that another process has left, to go on with, as `restored`.

        `alternatives` are questions that may be asked in the place of planned ones; `listen` gives
        what was recorded of an answer.
        """
        self.chronicle = chronicle
        recorder = Guarded(recorder)
        interview = chronicle.interview
        state = restored or SessionState(interview.settings.patience)
        if restored is not None:
            # The record knows better: a session whose process died is paused.
            state = replace(state, state=interview.state)
        self.ears = Ears(
            chronicle,
            partners.recogniser,
            recorder,
            pace,
            self.send,
            received=state.heard_until,
            begins=None if restored is None else state.heard_at,
        )
        self._driver = Driver(
            Script.of(interview, plan, pace, alternatives),
            state,
            chronicle,
            partners,
            cast,
            recorder,
            self.ears,
            self._obeyed,
            listen,
        )
        self._orders: dict[int, m.Command] = {}
        self._numbers = count(1)
        self._over = False
        if restored is not None:
            self._driver.post(m.Restored(died=restored.state is State.LIVE))

    # What clients may do, at any time.

    @property
    def over(self) -> bool:
        """Whether the last event has been told."""
        return self._over

    @property
    def state(self) -> SessionState:
        """The session as it is now."""
        return self._driver.state

    @property
    def failed_commits(self) -> int:
        """How many times in a row it could not be stored."""
        return self._driver.failed_commits

    def send(self, message: m.Message) -> None:
        """Something has happened; after the end nothing is done with it, and nobody waits."""
        if self._over:
            if isinstance(message, m.Command):
                message.done.set()
            return
        match message:
            case m.Store():
                self._driver.post(m.Stored(self._ordered(message)))
            case m.Pause() | m.Resume() | m.End() | m.HandOn():
                self._driver.post(m.Ordered(_ORDERS[type(message)], self._ordered(message)))
            case m.Finished() | m.Numbered(message=m.Finished()):
                # At its place in the audio, which does not go through the inbox.
                self.ears.hearing.finish_turn()
                self._driver.post(message)
            case _:
                self._driver.post(message)

    def _ordered(self, command: m.Command) -> int:
        number = next(self._numbers)
        self._orders[number] = command
        return number

    def _obeyed(self, report: a.Obey) -> None:
        command = self._orders.pop(report.number)
        if report.stored:
            command.stored.set()
        command.done.set()

    def kept(self, client: str | None) -> int | None:
        """The greatest number of a client's messages that is stored."""
        return next((said.number for said in self._driver.kept if said.client == client), None)

    def join(self, joined: m.Joined, *, anew: bool = False) -> None:
        """A client is there; `anew`: it has seen nothing yet."""
        if not self._over:
            self.ears.expect_join(anew=anew)
            self.send(joined)

    # Its life.

    async def run(self) -> None:
        """Holds the interview until it is over.

        Raises:
            LeaseLost: Another process holds it now; not a word more was said.
        """
        # Longer than the call that began it, and to the model servers a caller of its own.
        interview_id = self.chronicle.interview.id
        set_current_request(Request(id=interview_id, caller=interview_id))
        with SESSIONS.track_inprogress():
            await self._driver.run()
        with suppress(LeaseLost, StoreFailed):
            await self.chronicle.settle()
        self._finish()

    async def fail(self, failure: Failure) -> None:
        """Ends after a fault: the record stays as it is, and says why."""
        await self._break_off(State.FAILED, failure)

    async def discard(self) -> None:
        """Ends without a report, `run` having been cancelled.

        What is over but for its report, or for its last commit, stays as it is: it is deleted.
        """
        if self.chronicle.interview.state.over:
            self._finish()
        else:
            await self._break_off(State.CANCELLED, None)

    async def _break_off(self, state: State, failure: Failure | None) -> None:
        step = self.state.place.step
        self.chronicle.move(state, step, failure)
        session = replace(self.state, state=state, finished=True)
        try:
            await self.chronicle.commit(session.to_json())
        except (StoreFailed, LeaseLost) as error:
            # Of a session that is gone anyway; the others go on.
            log(_logger, logging.ERROR, "end not kept", cause=error)
        finally:
            self.chronicle.emit(StateChanged(state, step.phase, step.asked_round))
            self._finish()

    def _finish(self) -> None:
        self._over = True
        self.chronicle.journal.wake()
        for command in self._orders.values():
            command.done.set()
        self._orders.clear()
