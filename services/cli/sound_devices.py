"""This machine's microphone and loudspeaker, behind the faces of `sound_card`.

miniaudio brings its own way to ALSA, PulseAudio, PipeWire, CoreAudio and WASAPI: nothing has to be
installed beside it. Its callbacks run in threads of the sound system.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from types import TracebackType
from typing import Self

import miniaudio
import numpy as np

from services.cli.sound_card import RATE_HZ, NoSoundDevice, Played, Samples

CHUNK_MS = 40
"""A message costs more than the bytes in it, and nobody hears 40 ms."""
PLAYBACK_HZ = 24_000
PLAYBACK_BUFFER_MS = 80


class DeviceMicrophone:
    """The machine's microphone: chunks of 16-bit samples at `RATE_HZ` as they are recorded."""

    def __init__(self, backends: Sequence[miniaudio.Backend] | None = None) -> None:
        """Opens the default microphone.

        Raises:
            NoSoundDevice: There is none.
        """
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.started = self._loop.time()
        self.recorded: list[Samples] = []
        try:
            self._device = miniaudio.CaptureDevice(
                miniaudio.SampleFormat.SIGNED16,
                nchannels=1,
                sample_rate=RATE_HZ,
                buffersize_msec=CHUNK_MS,
                backends=list(backends) if backends else None,
                app_name="viva",
            )
        except miniaudio.MiniaudioError as error:
            raise NoSoundDevice(f"no microphone can be opened: {error.args[0]}") from None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """What is recorded, until the caller stops."""
        recording = self._record()
        next(recording)
        self.started = self._loop.time()
        self._device.start(recording)
        try:
            while True:
                chunk = await self._queue.get()
                self.recorded.append(
                    np.frombuffer(chunk, "<i2").astype(np.float32) / np.float32(32768)
                )
                yield chunk
        finally:
            self._device.close()

    def _record(self) -> Generator[None, bytes, None]:
        while True:
            chunk = bytes((yield))
            self._loop.call_soon_threadsafe(self._queue.put_nowait, chunk)


class DeviceLoudspeaker:
    """The machine's loudspeaker, one utterance at a time. Use it as a context manager.

    It does what `sound_card.Loudspeaker` does; what counts as heard has left the sound system.
    """

    def __init__(self, backends: Sequence[miniaudio.Backend] | None = None) -> None:
        """Opens the default loudspeaker, which plays 16-bit mono samples at `PLAYBACK_HZ`.

        Raises:
            NoSoundDevice: There is none.
        """
        self.played: list[Played] = []
        self._clock = asyncio.get_running_loop().time
        # Between the loop and the sound system's thread.
        self._lock = threading.Lock()
        self._paused = False
        self._given = 0
        """Bytes of the current utterance that the sound system has taken."""
        try:
            self._device = miniaudio.PlaybackDevice(
                miniaudio.SampleFormat.SIGNED16,
                nchannels=1,
                sample_rate=PLAYBACK_HZ,
                buffersize_msec=PLAYBACK_BUFFER_MS,
                backends=list(backends) if backends else None,
                app_name="viva",
            )
        except miniaudio.MiniaudioError as error:
            raise NoSoundDevice(f"no loudspeaker can be opened: {error.args[0]}") from None

    def __enter__(self) -> Self:
        playing = self._play()
        next(playing)
        self._device.start(playing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._device.close()

    def begin(self, utterance_id: str, rate_hz: int) -> None:
        """A new utterance of 16-bit mono samples.

        Raises:
            ValueError: It is at another rate than the loudspeaker.
        """
        if rate_hz != PLAYBACK_HZ:
            raise ValueError(f"the loudspeaker plays {PLAYBACK_HZ} Hz, not {rate_hz}")
        with self._lock:
            self._paused = False
            self._given = 0
            self.played.append(Played(utterance_id, rate_hz))

    def add(self, utterance_id: str, audio: bytes) -> None:
        """More of its audio."""
        with self._lock:
            current = self._current()
            if current is None or current.utterance_id != utterance_id or current.stopped:
                return
            if current.started is None:
                current.started = self._clock()
            current.audio += audio

    def pause(self) -> None:
        """Holds."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        """Goes on."""
        with self._lock:
            self._paused = False

    def stop(self) -> None:
        """Throws the rest away."""
        with self._lock:
            if (current := self._current()) is not None:
                self._note_heard(current)
                current.stopped = True

    def tick(self) -> Played | None:
        """Notes how much has been heard; the utterance being played, if there is one."""
        with self._lock:
            current = self._current()
            if current is None or current.stopped or current.started is None:
                return None
            self._note_heard(current)
            return current

    def _note_heard(self, current: Played) -> None:
        given = self._given / 2 / PLAYBACK_HZ
        # The end has been heard when silence followed it through the buffer; close enough here.
        at_end = self._given == len(current.audio)
        late = 0.0 if at_end else PLAYBACK_BUFFER_MS / 1000
        current.heard = max(current.heard, given - late)

    def _current(self) -> Played | None:
        return self.played[-1] if self.played else None

    def _play(self) -> Generator[bytes, int, None]:
        frames = yield b""
        while True:
            frames = yield self._next(2 * frames)

    def _next(self, size: int) -> bytes:
        with self._lock:
            current = self._current()
            if current is None or current.stopped or self._paused:
                return bytes(size)
            piece = bytes(current.audio[self._given : self._given + size])
            self._given += len(piece)
            return piece.ljust(size, b"\0")
