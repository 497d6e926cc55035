"""One live interview: what is heard comes in, what is said goes out, one decision at a time.

Everything that happens is a message in one inbox and is dealt with in order, so the state below
needs no locks. Slow work (recognition, generation, synthesis, scoring) runs in tasks that this
conversation owns and that answer with messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.interview.clients.seams import (
    PartialHeard,
    ProbablyEnded,
    SpeechBegan,
    SpeechEvent,
    SpeechLost,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import messages as m
from services.interview.conversation.answers import Answers
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.degradation import Degradation
from services.interview.conversation.ears import Ears
from services.interview.conversation.floor import Floor, Line, Said
from services.interview.conversation.following_up import FollowUps
from services.interview.conversation.interruption import Verdict, judge
from services.interview.conversation.orders import Orders
from services.interview.conversation.pace import Pace, Partners
from services.interview.conversation.patience import TurnPatience
from services.interview.conversation.pending import PendingReply
from services.interview.conversation.progress import OPENING, Step, following
from services.interview.conversation.replying import Replier
from services.interview.conversation.reviewing import Review
from services.interview.conversation.running_speech import RunningSpeech
from services.interview.conversation.stock import Stock, Voice, voice_for
from services.interview.conversation.timing import TurnClock, turn_clock
from services.interview.events import AudioFormat, CandidatePartial, CandidateSpeechStarted
from services.interview.interviewer.personas import Cast
from services.interview.questions.bank import Question
from services.interview.record import Failure, Phase, Speaker, State, Turn
from services.interview.recordings.recorder import NO_RECORDER, Recorder
from services.runtime.request import Request, set_current_request


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
        restored: Step = OPENING,
    ) -> None:
        self.chronicle = chronicle
        self._plan = plan
        self._partners = partners
        self._pace = pace
        self._cast = cast
        self._settings = chronicle.interview.settings
        self._inbox: asyncio.Queue[m.Message] = asyncio.Queue()
        self._degradation = Degradation(chronicle.emit)
        self._review = Review(chronicle, plan, partners.embedder, self._degradation)
        self._recorder = recorder
        self.ears = Ears(
            chronicle,
            partners.recogniser,
            self._degradation,
            recorder,
            pace,
            heard=lambda event: self.send(m.Heard(event)),
        )
        # What the interviewer said last, and what the candidate has answered to it so far.
        self._step = restored
        self._answers = Answers(chronicle)
        if restored.asks:
            self._answers.turns = _unanswered(chronicle.interview.turns)
        self._line: Line | None = None
        # The step before, with its answers: where we are again if nobody heard the last line.
        self._before: tuple[Step, list[Turn]] = (OPENING, [])
        self._patience = TurnPatience(
            chronicle,
            pace,
            listen=self.ears.hearing.listen,
            over=lambda seconds, number: self._later(seconds, m.HoldOver(number)),
        )
        self._speech = RunningSpeech()
        self._orders = Orders(self._speech, self.ears.hearing.finish_turn, self._later)
        self._output: AudioFormat | None = None
        self._over = False

    # What clients may do, at any time.

    @property
    def over(self) -> bool:
        """Whether the last event has been told."""
        return self._over

    def send(self, message: m.Message) -> None:
        """Queues a message; after the end nothing is done with it."""
        if not self._over:
            self._inbox.put_nowait(message)

    def join(self, output: AudioFormat | None) -> None:
        """A client is there; audio in this shape is for it, None is for text alone."""
        if not self._over:
            self.ears.expect_join()
            self.send(m.Joined(output))

    def finish_turn(self) -> None:
        """Ends the candidate's turn without waiting for silence."""
        self.ears.hearing.finish_turn()
        self.send(m.Finished())

    # Its life.

    async def run(self) -> None:
        """Holds the interview until it is over."""
        # Longer than the call that began it, and to the model servers a caller of its own.
        interview_id = self.chronicle.interview.id
        set_current_request(Request(id=interview_id, caller=interview_id))
        async with asyncio.TaskGroup() as tasks:
            self._begin(tasks)
            listening = tasks.create_task(self.ears.hearing.run())
            while not self.chronicle.interview.state.over:
                await self._handle(await self._inbox.get())
                await self._carry_out()
            listening.cancel()
            self._pending.drop()
            self._follow_ups.forget()
            await self._review.finish(self._step, tasks)
            self._stock.clear(self._voice)
        self._finish()

    async def fail(self, failure: Failure) -> None:
        """Ends after a fault: the record stays as it is, and says why."""
        try:
            await self.chronicle.move(State.FAILED, self._step, failure)
        finally:
            self._finish()

    async def discard(self) -> None:
        """Ends without a report, `run` having been cancelled."""
        if not self._over:
            await self.chronicle.move(State.CANCELLED, self._step)
            self._finish()

    def _finish(self) -> None:
        self._over = True
        self.chronicle.journal.wake()
        while not self._inbox.empty():
            if isinstance(message := self._inbox.get_nowait(), m.Command):
                message.done.set()
        self._orders.give_up()

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._voice = self._voice_in(None)
        self._stock = Stock(self._settings, self._plan, self._voice)
        self._floor = Floor(
            self.chronicle,
            self._degradation,
            tasks,
            self._recorder,
            ended=lambda said: self.send(m.LineOver(said)),
        )
        self._follow_ups = FollowUps(
            self._partners.model,
            self.chronicle,
            self._degradation,
            tasks,
            budget=self._pace.follow_up_budget,
        )
        replier = Replier(
            self._settings,
            self._follow_ups,
            self.chronicle.clock,
            tasks,
            ready=lambda reply: self.send(m.ReplyReady(reply)),
        )
        self._pending = PendingReply(
            replier, self._follow_ups, self._pace.patience, later=self._later
        )

    async def _handle(self, message: m.Message) -> None:
        match message:
            case m.Joined():
                await self._join(message.output)
                self.ears.joined()
            case m.Heard():
                await self._hear(message.event)
            case m.Typed():
                await self._take_typed(message.text)
            case m.Played():
                self._floor.acknowledge(message.utterance_id, message.heard)
            case m.Interrupted():
                await self._interrupt()
            case m.Finished() | m.Hold() | m.HoldOver() | m.SetPatience():
                await self._bear(message)
            case m.LineOver():
                await self._line_over(message.said)
            case m.ReplyReady() | m.PatienceOver():
                await self._reply_due(message)
            case m.SuspicionOver() | m.LossOver():
                await self._nothing_in_time(message)
            case m.FinalOver():
                self._orders.hurry()
            case m.Command():
                self._orders.take(message)

    # Joining, pausing, ending.

    async def _join(self, output: AudioFormat | None) -> None:
        if output != self._output:
            self._output = output
            self._voice = self._voice_in(output)
            self._stock.clear(self._voice)
        state = self.chronicle.interview.state
        if state is State.READY:
            if self._settings.follow_ups:
                self._follow_ups.warm_up()
            await self._say(self._stock.line(OPENING))
        elif state is State.PAUSED:
            await self._resume()

    def _voice_in(self, output: AudioFormat | None) -> Voice:
        synthesiser = self._partners.synthesiser
        return voice_for(self._settings, self._cast, output, synthesiser, self._tasks)

    async def _carry_out(self) -> None:
        """Obeys the commands whose time has come."""
        while not self._over and (command := self._orders.due(self.chronicle.interview.state)):
            await self._obey(command)
            command.done.set()

    async def _obey(self, command: m.Command) -> None:
        state = self.chronicle.interview.state
        match command:
            case m.Pause() if state is State.LIVE:
                self._pending.drop()
                self._speech.words = False
                if self._floor.taken:
                    self._speech.over()  # What did not stop the interviewer is no answer.
                await self._let_go()
                await self._stop_floor()
                await self.chronicle.move(State.PAUSED, self._step)
            case m.Resume() if state is State.PAUSED:
                await self._resume()
            case m.End():
                if self._speech.so_far is not None and not self._floor.taken:
                    await self._keep(self._speech.so_far)
                await self._let_go()
                await self._stop_floor()
                await self._close()

    async def _resume(self) -> None:
        await self.chronicle.move(State.LIVE, self._step)
        if self._step.asks and self._answers.turns:
            self._release(self._turn_clock(self._answers.turns[-1]))
        elif self._step.asks:
            line = self._line and self._voice.again(self._line)
            await self._say(line or self._stock.line(self._step))
        else:
            await self._move_on()

    async def _close(self) -> None:
        answered = any(t.speaker is Speaker.CANDIDATE for t in self.chronicle.interview.turns)
        await self.chronicle.move(State.REVIEWING if answered else State.CANCELLED, self._step)

    # The candidate speaks.

    async def _hear(self, event: SpeechEvent) -> None:
        if self.chronicle.interview.state is not State.LIVE:
            await self._hear_late(event)
            return
        match event:
            case SpeechBegan():
                self._speech_began(event)
            case PartialHeard():
                await self._partial(event)
            case ProbablyEnded():
                await self._probably_ended(event)
            case WentOn():
                self._speech.went_on()
                self._pending.drop()
                self._patience.release()
            case TurnEnded():
                await self._turn_ended(event)
            case SpeechLost():
                self._speech.lose()
                self._later(self._pace.suspicion, m.LossOver(self._speech.number))

    async def _hear_late(self, event: SpeechEvent) -> None:
        """What was under way at the pause is kept, and replied to when we go on."""
        match event:
            case SpeechBegan():
                self._speech.began(event)
            case SpeechLost():
                self._speech.lose()
            case TurnEnded() if self._speech.under_way:
                self._speech.over()
                await self._keep(event)

    async def _keep(self, event: TurnEnded) -> None:
        await self._answers.keep(event, self._step, self._stock.question_id(self._step))

    def _speech_began(self, event: SpeechBegan) -> None:
        if self._speech.began(event):
            self._patience.speech_began()
            self.chronicle.emit(CandidateSpeechStarted(event.start))
        if self._floor.taken:
            self._floor.pause()
            self._later(self._pace.suspicion, m.SuspicionOver(self._speech.number))

    async def _partial(self, event: PartialHeard) -> None:
        self.chronicle.emit(CandidatePartial(event.stable, event.unstable))
        self._speech.partial(event, self.chronicle.clock.now())
        text = event.stable + event.unstable
        if text.strip():
            self._patience.words_came()
        if self._floor.taken and judge(text) is Verdict.INTERRUPTION:
            await self._stop_floor()
        if self._floor.taken or not self._step.asks:
            return
        if text.strip():
            self._answers.reopen()
        if self._following(dig_deeper=True).phase is Phase.FOLLOW_UP:
            self._follow_ups.overhear(self._answers.whole(text), self._step, self._voice)

    async def _probably_ended(self, event: ProbablyEnded) -> None:
        self._speech.probably_ended(event, self.chronicle.clock.now())
        if self._floor.taken and judge(event.text) is Verdict.INTERRUPTION:
            await self._stop_floor()
        if self._floor.taken or not self._step.asks or not event.text.strip():
            return
        self._answers.reopen()
        if not self._patience.held:
            answer = self._answers.whole(event.text)
            self._pending.prepare(answer, self._step, self._stock, self._voice, eager=True)

    async def _turn_ended(self, event: TurnEnded) -> None:
        eager_at = self._speech.over()
        if not event.text.strip():
            await self._nothing_said()
            return
        if self._floor.taken:
            if judge(event.text) is not Verdict.INTERRUPTION:
                self._floor.resume()
                return
            await self._stop_floor()
        if self._step.asks:
            self._answers.reopen()
        turn = self._answers.spoken(event, self._step, self._stock.question_id(self._step))
        self._patience.words_came()
        if self._patience.held:
            self._answers.hold(turn)
        else:
            await self._answered(turn, self._turn_clock(turn, eager_at, event.finalization))
        self.ears.intake.acknowledge()

    async def _nothing_in_time(self, message: m.SuspicionOver | m.LossOver) -> None:
        """The speech has shown no words, or was not heard again: it is taken for nothing."""
        if message.number != self._speech.number or self._speech.words:
            return
        if isinstance(message, m.SuspicionOver):
            self._floor.resume()
        elif self._speech.under_way and self.chronicle.interview.state is State.LIVE:
            self._speech.over()
            await self._nothing_said()

    async def _nothing_said(self) -> None:
        """The speech was none: everything goes on as if it had not been there."""
        if self._floor.taken:
            self._floor.resume()
        elif not self._step.asks:
            await self._move_on()
        elif not self._patience.held:
            await self._settle()

    async def _take_typed(self, text: str) -> None:
        if self.chronicle.interview.state is not State.LIVE:
            return
        await self._stop_floor()
        self._speech.words = False
        await self._let_go()
        turn = self._answers.typed(text, self._step, self._stock.question_id(self._step))
        await self._answered(turn, self._turn_clock(turn))

    def _turn_clock(self, turn: Turn, eager: float | None = None, final: float = 0.0) -> TurnClock:
        return turn_clock(turn, self.chronicle.clock.now(), eager, final)

    async def _answered(self, turn: Turn, clock: TurnClock) -> None:
        await self._answers.over(turn, answers=self._step.asks)
        if self._step.asks:
            self._release(clock)
        else:
            await self._move_on()

    async def _settle(self) -> None:
        """Nothing more came: what was said stands, and is replied to."""
        unfinished = self._answers.unfinished
        await self._answers.settle(answers=self._step.asks)
        if self._floor.taken:
            return
        if unfinished and not self._step.asks:
            await self._move_on()
        elif self._answers.turns:
            last = self._answers.turns[-1]
            self._release(self._pending.released or self._turn_clock(last))

    async def _let_go(self) -> None:
        """Nothing is held any more, and what was said of the turn stands."""
        self._patience.release()
        await self._answers.settle(answers=self._step.asks)

    async def _bear(self, message: m.Finished | m.Hold | m.HoldOver | m.SetPatience) -> None:
        """What the candidate wants of pauses."""
        if self.chronicle.interview.state is not State.LIVE:
            return
        match message:
            case m.SetPatience():
                await self._patience.set(message.patience)
            case m.Hold():
                self._patience.hold(message.limit)
                if self._step.asks and not self._floor.taken:
                    self._pending.drop()
                    self._answers.reopen()
            case m.Finished() if self._patience.held:
                await self._let_wait_end()
            case m.HoldOver() if self._patience.runs(message.number):
                await self._let_wait_end()

    async def _let_wait_end(self) -> None:
        self._patience.release()
        # A turn that the recogniser has not ended ends there now, by its silence.
        if not self.ears.hearing.in_turn:
            await self._settle()

    async def _interrupt(self) -> None:
        if self._floor.taken and self.chronicle.interview.state is State.LIVE:
            await self._stop_floor()
            if not self._step.asks:
                await self._move_on()

    # The interviewer answers.

    def _release(self, clock: TurnClock) -> None:
        """The candidate has finished: the reply is said as soon as it is there."""
        answer = self._answers.whole()
        self._pending.release(clock, answer, self._step, self._stock, self._voice)

    async def _reply_due(self, message: m.ReplyReady | m.PatienceOver) -> None:
        line = self._pending.due(message, goes_on=self._speech.words)
        if line is not None:
            await self._say(line)

    async def _say(self, line: Line) -> None:
        """Says a line and moves to its step."""
        self._line = line = self._voice.fit(line)
        if line.step.round != self._step.round or line.step.phase is Phase.CLOSING:
            self._review.score(self._step, self._tasks)
        if line.step != self._step:
            self._before = (self._step, self._answers.turns)
            self._step, self._answers.turns = line.step, []
        await self.chronicle.move(State.LIVE, line.step)
        self._floor.speak(line)
        self._stock.make_ahead(line.step)

    def _following(self, *, dig_deeper: bool) -> Step:
        return following(self._step, self._settings, dig_deeper=dig_deeper)

    async def _move_on(self) -> None:
        """Goes on from a step that needs no answer."""
        if self._step.phase is Phase.CLOSING:
            await self._close()
        else:
            await self._say(self._stock.line(self._following(dig_deeper=False)))

    async def _stop_floor(self) -> None:
        said = self._floor.stop()
        if said is None:
            return
        if said.turn.text:
            await self.chronicle.add(said.turn)
        elif self._step.asks and self._before[0].asks:
            # Nobody heard it, so it was not asked: we are still at the step before.
            self._step, self._answers.turns = self._before

    async def _line_over(self, said: Said) -> None:
        await self.chronicle.add(said.turn)
        live = self.chronicle.interview.state is State.LIVE
        if live and said.line.step == self._step and not self._step.asks:
            await self._move_on()

    def _later(self, seconds: float, message: m.Message) -> None:
        asyncio.get_running_loop().call_later(seconds, self._inbox.put_nowait, message)


def _unanswered(turns: Sequence[Turn]) -> list[Turn]:
    """What the candidate said last, and was not replied to."""
    last: list[Turn] = []
    for turn in reversed(turns):
        if turn.speaker is not Speaker.CANDIDATE:
            break
        last.insert(0, turn)
    return last
