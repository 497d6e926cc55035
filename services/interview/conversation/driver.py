"""Lives through a session: what happens goes to the engine, what it wants is done.

One inbox, and nothing bypasses it. Slow work runs in tasks that are owned here, each with a
deadline, and answers with what happened. The state changes nowhere but in the engine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from services.interview.clients.seams import DependencyFailed
from services.interview.conversation import actions as a
from services.interview.conversation import events as e
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degrading import STORE
from services.interview.conversation.ears import Ears
from services.interview.conversation.engine import step
from services.interview.conversation.pace import Partners
from services.interview.conversation.reviewing import Review
from services.interview.conversation.script import Script
from services.interview.conversation.state import Line, Said, SessionState, Timer
from services.interview.conversation.stock import Stock, voice_for
from services.interview.conversation.thinking import Thinking
from services.interview.conversation.voice_watch import VoiceWatch
from services.interview.events import InterviewerAudio, ServiceDegraded
from services.interview.interviewer.personas import Cast
from services.interview.interviewer.summarising import Listen, Reviewer
from services.interview.metrics import DEGRADED, SESSIONS_WAITING
from services.interview.record import Speaker
from services.interview.recordings.recorder import Recorder, Spoken
from services.interview.reports.report import Report
from services.interview.store.store import LeaseLost
from services.runtime.logs import log
from services.runtime.postgres.failures import StoreFailed

_logger = logging.getLogger(__name__)


class Driver:
    """Carries out what the engine of one session wants."""

    def __init__(
        self,
        script: Script,
        state: SessionState,
        chronicle: Chronicle,
        partners: Partners,
        cast: Cast,
        recorder: Recorder,
        ears: Ears,
        obeyed: Callable[[a.Obey], None],
        listen: Listen | None = None,
    ) -> None:
        """Takes who is told of orders that were carried out as `obeyed`.

        `listen` gives what was recorded of an answer.
        """
        self.state = state
        self.lost = False
        """Whether another process drives the session now."""
        self.kept: tuple[Said, ...] = state.said
        """How far clients' numbered messages are stored."""
        self.failed_commits = 0
        """So many in a row."""
        self._script = script
        self._chronicle = chronicle
        self._partners = partners
        self._cast = cast
        self._recorder = recorder
        self._ears = ears
        self._obeyed = obeyed
        self._listen_back = listen
        self._inbox: asyncio.Queue[e.Happening] = asyncio.Queue()
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._delivery: tuple[str, asyncio.Task[None]] | None = None
        self._audio: dict[str, bytearray] = {}
        self._committing: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._stock = Stock()
        self._waits = False

    def post(self, event: e.Happening) -> None:
        """Something has happened."""
        self._inbox.put_nowait(event)

    async def run(self) -> None:
        """Lives to the end of the session.

        Raises:
            LeaseLost: Another process drives it now.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._thinking = Thinking(
                lambda: self._script,
                self._partners,
                tasks,
                post=self.post,
                now=self._chronicle.clock.now,
                failing=lambda: self.state.failing,
            )
            self._voice_watch = VoiceWatch(
                tasks, lambda patience: self._thinking.try_out("tts", patience), self._failed
            )
            self._review = Review(
                self._chronicle,
                lambda: self._script,
                Reviewer(
                    self._thinking.embedder,
                    failed=self._failed,
                    listen=self._listen_back,
                    judge=self._partners.judge,
                ),
                tasks,
            )
            listening = tasks.create_task(self._ears.hearing.run())
            try:
                while not self.state.finished:
                    self._live_through(await self._inbox.get())
            finally:
                listening.cancel()
                self._wait_for_store(waits=False)
                self._give_up()
        if self.lost:
            raise LeaseLost

    def _failed(self, failure: DependencyFailed) -> None:
        self.post(e.Failed(failure.service, failure.reason))

    def _live_through(self, event: e.Happening) -> None:
        match event:
            case e.Failed() if event.service not in self.state.failing:
                log(
                    _logger,
                    logging.WARNING,
                    "degraded",
                    to=event.service,
                    reason=event.reason,
                )
            case e.CommitFailed():
                self.failed_commits += 1
                log(_logger, logging.WARNING, "not stored", reason=event.reason)
            case e.LeaseGone():
                self.lost = True
            case _:
                pass
        now = self._chronicle.clock.now()
        self.state, actions = step(self._script, self.state, event, now)
        unstored = self.state.commit > self.state.committed
        unlived = not self._inbox.empty()
        # What comes after it was handed on is for who has it next.
        left = self.state.handed_on
        self._ears.owed = self.state.speech.under_way or unstored or unlived or left
        for action in actions:
            self._do(action)
        self._wait_for_store(waits=STORE in self.state.failing)

    def _wait_for_store(self, *, waits: bool) -> None:
        """Counts the session among those that wait, or no more."""
        SESSIONS_WAITING.inc(waits - self._waits)
        self._waits = waits

    def _give_up(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._hush()
        self._thinking.close()
        self._stock.clear()
        self._voice_watch.close()
        self._review.close()
        if self._reporting is not None:
            self._reporting.cancel()
        if self.lost and self._committing is not None:
            self._committing.cancel()

    def _do(self, action: a.Action) -> None:
        match action:
            case a.Tell():
                self._tell(action)
            case a.Keep() | a.Move() | a.Ask() | a.ChangePatience() | a.Commit() | a.Obey():
                self._record(action)
            case a.StartTimer() | a.CancelTimer():
                self._keep_time(action)
            case a.SetVoice() | a.Prepare() | a.Speak() | a.Hush() | a.Record():
                self._sound(action)
            case a.Finalize() | a.Listen() | a.Acknowledge() | a.OpenEars():
                self._listen(action)
            case a.Finish():
                pass
            case _:
                self._think(action)

    def _tell(self, action: a.Tell) -> None:
        event = action.event
        if isinstance(event, InterviewerAudio):
            self._audio.setdefault(event.utterance_id, bytearray()).extend(event.audio)
        elif isinstance(event, ServiceDegraded) and not event.recovered:
            DEGRADED.labels(event.service).inc()
        self._chronicle.emit(event)

    # Time.

    def _keep_time(self, action: a.StartTimer | a.CancelTimer) -> None:
        if (running := self._timers.pop(action.timer, None)) is not None:
            running.cancel()
        if isinstance(action, a.StartTimer):
            self._timers[action.timer] = asyncio.get_running_loop().call_later(
                action.seconds, self.post, e.Fired(action.timer, action.number)
            )

    # The record.

    def _record(
        self, action: a.Keep | a.Move | a.Ask | a.ChangePatience | a.Commit | a.Obey
    ) -> None:
        match action:
            case a.Keep():
                self._chronicle.keep_turn(action.turn)
            case a.Move():
                self._chronicle.move(action.state, action.step)
            case a.Ask():
                self._script = self._script.with_question(action.round, action.question_id)
                self._chronicle.plan(action.round, action.question_id)
            case a.ChangePatience():
                self._chronicle.set_patience(action.patience)
            case a.Commit():
                if self._committing is None:
                    self._committing = self._tasks.create_task(self._commit())
            case a.Obey():
                self._obeyed(action)

    async def _commit(self) -> None:
        """Stores what there is, and again what has come meanwhile; one commit at a time."""
        done = self.state.committed
        try:
            while done < self.state.commit:
                number, said_until = self.state.commit, self._said_until()
                session = self._session(said_until)
                async with asyncio.timeout(self._script.pace.commit):
                    await self._chronicle.commit(session.to_json())
                self._ears.stored(said_until)
                self.failed_commits = 0
                if session.said is not self.kept:
                    self.kept = session.said
                    self._ears.intake.remind()
                self.post(e.Committed(number))
                done = number
        except LeaseLost:
            self.post(e.LeaseGone())
        except TimeoutError:
            self.post(e.CommitFailed("no answer in time"))
        except StoreFailed as failure:
            self.post(e.CommitFailed(failure.reason))
        finally:
            self._committing = None

    def _said_until(self) -> float:
        """When the last spoken turn ended of those that are known; what came later is not."""
        held = self.state.place.answer.held
        turns = (*self._chronicle.interview.turns, *([held] if held else []))
        spoken = (t.end for t in turns if t.speaker is Speaker.CANDIDATE and not t.typed)
        return max(spoken, default=-1.0)

    def _session(self, said_until: float) -> SessionState:
        until, at = self._ears.unneeded(said_until)
        journal = self._chronicle.journal
        return replace(
            self.state, epoch=journal.epoch, told=journal.last_seq, heard_until=until, heard_at=at
        )

    # The interviewer's voice.

    def _sound(self, action: a.SetVoice | a.Prepare | a.Speak | a.Hush | a.Record) -> None:
        match action:
            case a.SetVoice():
                voice = voice_for(
                    self._script.settings,
                    self._cast,
                    action.output,
                    self._partners.synthesiser,
                    self._tasks,
                    self._voice_watch,
                )
                self._stock.set_voice(voice)
            case a.Prepare():
                self._stock.prepare(action.lines)
            case a.Speak():
                self._speak(action.utterance_id, action.line)
            case a.Hush():
                self._hush(action.utterance_id)
            case a.Record():
                audio = bytes(self._audio.pop(action.utterance_id, b""))
                spoken = Spoken(audio, action.format, action.stretches, action.heard)
                self._recorder.interviewer(spoken)

    def _speak(self, utterance_id: str, line: Line) -> None:
        self._hush()
        speech = self._stock.take(line.text, line.step.phase)
        if speech is None:
            self.post(e.SpeechMade(utterance_id, "no voice"))
            return

        async def deliver() -> None:
            failure: str | None = None
            try:
                async for piece in speech.pieces():
                    self.post(e.PieceMade(utterance_id, piece))
            except DependencyFailed as failed:
                failure = failed.reason
            finally:
                speech.discard()
            self.post(e.SpeechMade(utterance_id, failure))

        self._delivery = utterance_id, self._tasks.create_task(deliver())

    def _hush(self, utterance_id: str | None = None) -> None:
        if self._delivery is not None and utterance_id in {None, self._delivery[0]}:
            self._delivery[1].cancel()
            self._delivery = None

    # The candidate's voice.

    def _listen(self, action: a.Finalize | a.Listen | a.Acknowledge | a.OpenEars) -> None:
        match action:
            case a.Finalize():
                self._ears.hearing.finish_turn()
            case a.Listen():
                self._ears.hearing.listen(action.endpointing)
            case a.Acknowledge():
                self._ears.acknowledge()
            case a.OpenEars():
                self._ears.joined()

    # Thoughts.

    def _think(self, action: a.Action) -> None:
        match action:
            case a.Assess():
                self._thinking.assess(action)
            case a.Compose():
                self._thinking.compose(action)
            case a.Discard():
                self._thinking.discard(action.number)
            case a.WarmUp():
                self._thinking.warm_up()
            case a.Probe():
                self._thinking.probe(action.service)
            case a.Score():
                self._review.score(action.round)
            case a.Review():
                self._reporting = self._tasks.create_task(self._report())
            case _:
                raise AssertionError(action)

    async def _report(self) -> None:
        """Writes the report, in the time there is for it."""
        report: Report | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._script.pace.review):
                report = await self._review.report()
        self.post(e.Reviewed(report))
