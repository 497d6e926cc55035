"""One sound over one line of the interviewer's, and what became of the line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
import numpy as np
import soxr
from viva.interview.v1 import conversation_pb2 as pb

from services.cli.bench.bargein.sounds import Sound
from services.cli.bench.candidates import Candidate, Line
from services.cli.bench.spoken import Spoken
from services.cli.sound_card import RATE_HZ, Samples
from services.interview.understanding.intent import Intent, Situation, understand

INTO_SECONDS = 1.2
"""A line is spoken over once so much of it was heard."""
REST_SECONDS = 1.5
"""And while so much of it is left."""
WAIT_SECONDS = 4.0
"""After a sound: recognition of its last words, and the interview's own patience, are over."""
INTERVIEW_SECONDS = 420.0
ROUNDS, FOLLOW_UPS = 10, 1

_UNDISTURBED = frozenset({Intent.NOISE, Intent.BACK_CHANNEL, Intent.ECHO})


@dataclass(slots=True)
class Trial:
    """A sound over a line. Times in seconds from the sound's beginning, at the client.

    Attributes:
        sound: What was heard.
        paused: Until playback paused; None if it did not.
        resumed: Until it went on.
        decided: Until there were words that interrupt.
        stopped: Until playback stopped for good.
        whole: Whether the line was said to its end; None while that is not known.
    """

    sound: Sound
    paused: float | None = None
    resumed: float | None = None
    decided: float | None = None
    stopped: float | None = None
    whole: bool | None = None


@dataclass(slots=True)
class _Running:
    trial: Trial
    line: Line
    began: float
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def trials(
    channel: grpc.aio.Channel, wanted: Sequence[Sound], answers: Sequence[Spoken]
) -> list[Trial]:
    """Plays each sound over a line of its own, in as many interviews as that takes.

    Raises:
        grpc.aio.AioRpcError: A call failed.
        LookupError: Two interviews in a row had no line to speak over.
    """
    done: list[Trial] = []
    idle = 0
    while len(done) < len(wanted):
        before = len(done)
        await _Interview(channel, wanted[len(done) :], answers, done).hold()
        idle = idle + 1 if len(done) == before else 0
        if idle == 2:
            raise LookupError("no line of the interviewer's was long enough to speak over")
    return done


class _Interview:
    """An interview in which the candidate's side is not quiet."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        wanted: Sequence[Sound],
        answers: Sequence[Spoken],
        done: list[Trial],
    ) -> None:
        self._wanted = wanted
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._running: _Running | None = None
        self._candidate = Candidate(
            channel,
            answers,
            rounds=ROUNDS,
            follow_ups=FOLLOW_UPS,
            user="bench",
            watch=self._watch,
        )

    async def hold(self) -> None:
        holding = asyncio.create_task(self._held())
        disturbing = asyncio.create_task(self._disturb())
        await asyncio.wait([holding, disturbing], return_when=asyncio.FIRST_COMPLETED)
        for task in (holding, disturbing):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await disturbing
        with suppress(asyncio.CancelledError):
            await holding

    async def _held(self) -> None:
        async with asyncio.timeout(INTERVIEW_SECONDS):
            await self._candidate.hold()

    async def _disturb(self) -> None:
        for sound in self._wanted:
            line = await self._line()
            rest = _rest(line)
            samples = sound.make(rest)
            trial = Trial(sound)
            self._running = _Running(trial, line, self._loop.time())
            self._candidate.say(samples)
            with suppress(TimeoutError):
                async with asyncio.timeout(samples.size / RATE_HZ + WAIT_SECONDS):
                    await self._running.over.wait()
            # What is left of the line shows whether it was said to its end.
            await line.ended.wait()
            trial.whole = not line.interrupted
            self._running = None
            self._done.append(trial)

    async def _line(self) -> Line:
        while True:
            line = self._candidate.playing
            if (
                line is not None
                and line.heard >= INTO_SECONDS
                and line.seconds - line.heard >= REST_SECONDS
                and not self._candidate.speaking
            ):
                return line
            await asyncio.sleep(0.02)

    def _watch(self, event: pb.InterviewEvent) -> None:
        if self._running is None:
            return
        trial, at = self._running.trial, self._loop.time() - self._running.began
        match event.WhichOneof("event"):
            case "partial" if trial.decided is None:
                if self._interrupts(event.partial.stable + event.partial.unstable, final=False):
                    trial.decided = at
            case "candidate_turn" if trial.decided is None:
                if self._interrupts(event.candidate_turn.turn.text, final=True):
                    trial.decided = at
            case "playback_control":
                self._control(event.playback_control.action, trial, at)

    def _control(
        self, action: pb.PlaybackControl.Action.ValueType, trial: Trial, at: float
    ) -> None:
        assert self._running is not None  # noqa: S101 - asked before
        match action:
            case pb.PlaybackControl.ACTION_PAUSE if trial.paused is None:
                trial.paused = at
            case pb.PlaybackControl.ACTION_RESUME if trial.stopped is None:
                trial.resumed = at
            case pb.PlaybackControl.ACTION_STOP if trial.stopped is None:
                trial.stopped = at
                self._running.over.set()

    def _interrupts(self, text: str, *, final: bool) -> bool:
        assert self._running is not None  # noqa: S101 - asked before
        line = self._running.line
        situation = Situation("en", line.text, line.heard_text)
        return understand(text, situation, final=final) not in _UNDISTURBED


def _rest(line: Line) -> Samples:
    """What is left of a line from where it plays, at `RATE_HZ`."""
    audio = np.frombuffer(bytes(line.audio), dtype="<i2").astype(np.float32) / np.float32(32768)
    rest: Samples = audio[round(line.heard * line.rate_hz) :]
    if line.rate_hz == RATE_HZ:
        return rest
    resampled: Samples = soxr.resample(rest, line.rate_hz, RATE_HZ)
    return resampled
