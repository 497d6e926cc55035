"""One live conversation as a client holds it, with the candidate's behaviour around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from itertools import cycle
from typing import Self

from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2

from services.cli.disturbances import Disturbances, disturb
from services.cli.held import AnswerTimes, Held
from services.cli.live_sound import Sound
from services.cli.sound_card import Answer, Microphone
from services.cli.ungrouped import ungrouped
from services.client import Conversation, InterviewFailed
from services.runtime.stats import seconds

REACTION_SECONDS = 0.3
"""People begin to answer 200 to 500 ms after a question (Stivers et al. 2009, PNAS)."""
ACKNOWLEDGE_SECONDS = 0.2
OVER_SECONDS = 0.8
"""Whoever interrupts has heard a little of what they interrupt."""
CUT_SECONDS = 1.0
"""How long a connection that is cut on purpose stays away."""
SILENCE_SECONDS = 45.0
"""Without any event for so long an interview with recordings has failed."""


class _Beside:
    """Tasks that run beside the conversation and end with it."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._begun: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Runs something as long as the conversation lasts."""
        task = self._tasks.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._begun:
            task.cancel()


class Session:
    """A conversation with the candidate's behaviour around it."""

    def __init__(
        self,
        conversation: Conversation,
        answers: Sequence[Answer],
        sound: Sound,
        notify: Callable[[pb.InterviewEvent], None],
        note: Callable[[str], None],
        disturbances: Disturbances,
    ) -> None:
        self._conversation = conversation
        self._answers = cycle(answers) if answers else None
        self._notify = notify
        self._note = note
        self._disturbances = disturbances
        self._loop = asyncio.get_running_loop()
        self._microphone = sound.microphone
        self._loudspeaker = sound.loudspeaker
        self._held = Held(microphone=self._microphone, loudspeaker=self._loudspeaker)
        self._offsets: list[float] = []
        self._waiting: AnswerTimes | None = None
        # An answer of which nothing has been understood yet.
        self._unheard: AnswerTimes | None = None

    async def run(self) -> Held:
        """Holds it to its report; see `live_interview.hold` for what it raises."""
        await ungrouped(self._hold())
        self._held.zero = self._zero()
        for answer in self._held.answers:
            answer.speech_end -= self._held.zero
            if answer.first_audio is not None:
                answer.first_audio -= self._held.zero
        return self._held

    async def _hold(self) -> None:
        async with self._conversation, asyncio.TaskGroup() as tasks:
            # All of them end with the interview, also an answer that is still being given.
            with _Beside(tasks) as beside:
                beside.begin(self._talk())
                beside.begin(self._acknowledge())
                began = False
                try:
                    async for event in self._conversation.events():
                        if not began:
                            beside.begin(self._disturb())
                            began = True
                        if not self._conversation.late:
                            self._offsets.append(self._loop.time() - seconds(event.at))
                        self._notify(event)
                        self._react(event, beside)
                except TimeoutError:
                    raise InterviewFailed(self._stalled()) from None

    async def _disturb(self) -> None:
        began = self._loop.time()

        def note(sentence: str) -> None:
            self._note(f"{self._loop.time() - began:.1f} s: {sentence}.")

        await disturb(
            self._disturbances,
            note,
            interrupt=lambda: self._interrupt(note),
            cut=lambda: self._cut(note),
        )

    async def _interrupt(self, note: Callable[[str], None]) -> None:
        """Gives the next answer over the interviewer, as soon as they speak."""
        if self._answers is None or not isinstance(self._microphone, Microphone):
            return  # whoever sits before the microphone interrupts themselves
        # A loudspeaker tells nobody that it plays.
        while (playing := self._loudspeaker.tick()) is None or not (  # noqa: ASYNC110
            OVER_SECONDS <= playing.heard < playing.seconds
        ):
            await asyncio.sleep(ACKNOWLEDGE_SECONDS / 4)
        answer = next(self._answers)
        note(f"the candidate speaks over the interviewer: {answer.name}")
        await self._speak(answer, self._microphone)

    async def _cut(self, note: Callable[[str], None]) -> None:
        """Cuts the connection and joins again; nobody writes meanwhile."""
        note("the connection is cut")
        await self._conversation.cut(CUT_SECONDS)
        note("joining again")

    def _stalled(self) -> str:
        """What to say when nothing has happened for too long."""
        failing = {d.service: d.recovered for d in self._held.degraded}
        parts = [f"nothing happened for {self._conversation.silence_seconds:.0f} s"]
        if self._unheard is not None:
            parts.append(f"no words were understood in {self._unheard.recording}")
        parts += [f"{service} does not work" for service, back in failing.items() if not back]
        return "; ".join(parts)

    def _zero(self) -> float:
        """Events arrive a little late; the fastest one tells where the clock began."""
        return min(self._offsets, default=self._loop.time())

    async def _talk(self) -> None:
        async with aclosing(self._microphone.chunks()) as chunks:
            async for chunk in chunks:
                await self._conversation.speak(chunk)

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            playing = self._loudspeaker.tick()
            if playing is None:
                continue
            await self._conversation.heard(
                playing.utterance_id, playing.heard, finished=playing.heard >= playing.seconds
            )

    async def _answer(self, answer: Answer, microphone: Microphone) -> None:
        await asyncio.sleep(REACTION_SECONDS)
        # Whoever speaks already, over the interviewer, does not begin another answer.
        if not microphone.speaking:
            await self._speak(answer, microphone)

    async def _speak(self, answer: Answer, microphone: Microphone) -> None:
        ended = await microphone.say(answer)
        self._waiting = self._unheard = AnswerTimes(answer.name, speech_end=ended)
        self._held.answers.append(self._waiting)

    def _react(self, event: pb.InterviewEvent, beside: _Beside) -> None:
        """Does what a candidate's client does."""
        match event.WhichOneof("event"):
            case "utterance_started":
                self._begins(event.utterance_started)
            case "audio":
                self._sounds(event.audio)
            case "playback_control":
                self._control(event.playback_control.action)
            case "utterance_ended":
                if self._conversation.awaits_answer:
                    self._begin_answer(beside)
            case "candidate_turn":
                self._unheard = None
            case "timings" if self._held.answers:
                self._held.answers[-1].server = event.timings
            case "degraded":
                self._held.degraded.append(event.degraded)
            case "report_ready":
                self._held.report = event.report_ready.report
            case "state_changed":
                self._check(event.state_changed.state)

    def _check(self, state: interview_pb2.InterviewState.ValueType) -> None:
        if state == interview_pb2.INTERVIEW_STATE_CANCELLED:
            raise InterviewFailed("the interview was cancelled")
        if state == interview_pb2.INTERVIEW_STATE_FAILED:
            raise InterviewFailed("the interview server could not hold the interview to its end")

    def _begin_answer(self, beside: _Beside) -> None:
        # A person begins without being told.
        if self._answers is not None and isinstance(self._microphone, Microphone):
            beside.begin(self._answer(next(self._answers), self._microphone))

    def _begins(self, started: pb.InterviewerUtteranceStarted) -> None:
        if started.HasField("format"):
            self._loudspeaker.begin(started.utterance_id, started.format.sample_rate_hz)

    def _sounds(self, piece: pb.InterviewerAudio) -> None:
        if self._waiting is not None and self._waiting.first_audio is None:
            self._waiting.first_audio = self._loop.time()
        self._loudspeaker.add(piece.utterance_id, piece.audio)

    def _control(self, action: pb.PlaybackControl.Action.ValueType) -> None:
        match action:
            case pb.PlaybackControl.ACTION_PAUSE:
                self._loudspeaker.pause()
            case pb.PlaybackControl.ACTION_RESUME:
                self._loudspeaker.resume()
            case _:
                self._loudspeaker.stop()
