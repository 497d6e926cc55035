"""A microphone and a loudspeaker made of files and clocks: recordings talk in real time.

The microphone never stops: between answers it sends silence, as a real one does. The loudspeaker
plays what arrives at the speed of sound and knows how much has been heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE_HZ = 16_000
CHUNK_SECONDS = 0.02
SPEECH_LEVEL = 0.03
"""Share of a recording's peak below which its end is no speech any more (about -30 dB)."""

Samples = npt.NDArray[np.float32]


class BadRecording(ValueError):
    """A file that cannot be played as an answer; the message names it."""


class NoSoundDevice(RuntimeError):
    """This machine has no microphone or loudspeaker that can be used."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recording at `RATE_HZ`, mono, and where its speech ends, in seconds."""

    name: str
    samples: Samples
    speech_end: float


def read_answer(path: Path) -> Answer:
    """Reads a recording of any rate and channel count.

    Raises:
        BadRecording: It is missing, no audio, empty or silent.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadRecording(f"{path} cannot be read as audio: {error}") from error
    mono: Samples = samples.mean(axis=1)
    if rate != RATE_HZ and mono.size:
        mono = soxr.resample(mono, rate, RATE_HZ).astype(np.float32)
    if not np.isfinite(mono).all():
        raise BadRecording(f"{path} holds samples that are no numbers")
    peak = float(np.abs(mono).max()) if mono.size else 0.0
    if peak < 1e-3:
        raise BadRecording(f"{path} holds no sound")
    loud = np.flatnonzero(np.abs(mono) > SPEECH_LEVEL * peak)
    return Answer(path.name, mono, float(loud[-1] + 1) / RATE_HZ)


@dataclass(slots=True)
class _Playing:
    answer: Answer
    place: int = 0
    speech_ended: asyncio.Future[float] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Microphone:
    """Yields chunks in real time: the answer being given, else silence."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._playing: _Playing | None = None
        self.started = self._loop.time()
        self.recorded: list[Samples] = []

    def say(self, answer: Answer) -> asyncio.Future[float]:
        """Begins an answer; the future gives the loop's time at which its speech ended."""
        self._playing = _Playing(answer)
        return self._playing.speech_ended

    @property
    def speaking(self) -> bool:
        """Whether an answer is being given."""
        return self._playing is not None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """16-bit samples, each chunk when its last sample has been spoken."""
        size = round(CHUNK_SECONDS * RATE_HZ)
        self.started = self._loop.time()
        number = 0
        while True:
            number += 1
            due = self.started + number * CHUNK_SECONDS
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            chunk = self._next(size, due)
            self.recorded.append(chunk)
            yield (np.clip(chunk, -1, 1) * 32767).astype("<i2").tobytes()

    def _next(self, size: int, due: float) -> Samples:
        chunk = np.zeros(size, dtype=np.float32)
        playing = self._playing
        if playing is None:
            return chunk
        piece = playing.answer.samples[playing.place : playing.place + size]
        chunk[: piece.size] = piece
        begins = playing.place / RATE_HZ
        playing.place += size
        end = playing.answer.speech_end
        if end <= begins + CHUNK_SECONDS and not playing.speech_ended.done():
            playing.speech_ended.set_result(due - CHUNK_SECONDS + (end - begins))
        if playing.place >= playing.answer.samples.size:
            self._playing = None
        return chunk


@dataclass(slots=True)
class Played:
    """An utterance at the loudspeaker. Times on the loop's clock; `heard` in seconds of audio."""

    utterance_id: str
    rate_hz: int
    audio: bytearray = field(default_factory=bytearray)
    started: float | None = None
    heard: float = 0.0
    stopped: bool = False

    @property
    def seconds(self) -> float:
        """How much has arrived."""
        return len(self.audio) / 2 / self.rate_hz


class Loudspeaker:
    """Plays one utterance at a time in real time."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        """Takes a clock in seconds; the running loop's by default."""
        self._now = now or asyncio.get_running_loop().time
        self.played: list[Played] = []
        self._paused = False
        self._ticked = self._now()

    def begin(self, utterance_id: str, rate_hz: int) -> None:
        """A new utterance of 16-bit mono samples."""
        self._paused = False
        self.played.append(Played(utterance_id, rate_hz))

    def add(self, utterance_id: str, audio: bytes) -> None:
        """More of its audio."""
        current = self._current()
        if current is None or current.utterance_id != utterance_id or current.stopped:
            return
        self.tick()
        if current.started is None:
            current.started = self._now()
        current.audio += audio

    def pause(self) -> None:
        """Holds."""
        self.tick()
        self._paused = True

    def resume(self) -> None:
        """Goes on."""
        self.tick()
        self._paused = False

    def stop(self) -> None:
        """Throws the rest away."""
        self.tick()
        if (current := self._current()) is not None:
            current.stopped = True

    def tick(self) -> Played | None:
        """Moves playback to now; the utterance being played, if there is one."""
        now = self._now()
        elapsed, self._ticked = now - self._ticked, now
        current = self._current()
        if current is None or current.stopped or current.started is None:
            return None
        if not self._paused:
            current.heard = min(current.seconds, current.heard + elapsed)
        return current

    def _current(self) -> Played | None:
        return self.played[-1] if self.played else None
