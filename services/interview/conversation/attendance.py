"""The candidate's side of a live interview: one client at a time, audio brought to one shape."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from services.interview.clients.seams import HEARING_RATE_HZ
from services.interview.conversation import events as m
from services.interview.conversation.conversation import Conversation
from services.interview.conversation.engine import CLIENTS_KEPT
from services.interview.conversation.intake import Fit
from services.interview.conversation.playback import ClientClock, Heard
from services.interview.conversation.state import Said
from services.interview.conversation.typed import NOTHING, Amount, Typed
from services.interview.events import AudioFormat, AudioReceived, Encoding, Entry
from services.interview.metrics import AUDIO_REPEATED
from services.interview.refusals import RefusedField
from services.runtime.audio.g711 import float_from_alaw, float_from_mulaw
from services.runtime.audio.pcm import (
    Float32,
    StreamResampler,
    float_from_f32le,
    float_from_s16le,
    mono,
    s16le_from_float,
)
from services.runtime.errors import Aborted, FailedPrecondition, InvalidField

ValueT = TypeVar("ValueT")

CALLS_REMEMBERED = 1024
MOST_AHEAD_SECONDS = 5.0
"""Audio a client may have recorded before it joined. More is at another rate than was said, or a
file; it would pile up, since it is heard no faster than it was spoken."""
MOST_SILENCE_SECONDS = 5.0
"""Of a longer gap in the audio only so much is heard as silence: it ends any turn."""

Numbers = dict[str, Said]
"""Which of a client's numbered messages were taken, by the client's name."""

_DECODERS = {
    Encoding.PCM_S16LE: float_from_s16le,
    Encoding.PCM_F32LE: float_from_f32le,
    Encoding.MULAW: float_from_mulaw,
    Encoding.ALAW: float_from_alaw,
}


def _note(clients: dict[str, ValueT], client: str, value: ValueT) -> None:
    """Keeps what is known of the newest clients, as the session's state does."""
    clients.pop(client, None)
    clients[client] = value
    if len(clients) > CLIENTS_KEPT:
        del clients[next(iter(clients))]


def taken_over() -> Aborted:
    """What a client is told that is not the one who listens."""
    return Aborted("TAKEN_OVER", "another client has joined this interview")


class Seat:
    """One client's place in an interview; taken over by the next client that joins."""

    def __init__(
        self,
        conversation: Conversation,
        source: AudioFormat | None,
        last_seq: int,
        client: str | None,
        numbers: Numbers,
        typed: Typed,
    ) -> None:
        """Takes the shape of the client's audio, the last event it has seen, and its name.

        `numbers` tells which of the clients' numbered messages were taken; `typed` how much of them
        was typed.
        """
        self.conversation = conversation
        self.client = client
        self._numbers = numbers
        self._typed = typed
        self._source = source
        self._seen = last_seq
        self._ended: Exception | None = None
        self._rate = (source.sample_rate_hz if source else None) or HEARING_RATE_HZ
        self._resampler = StreamResampler(self._rate, HEARING_RATE_HZ)
        self._clock = ClientClock()
        self.heard_at = -math.inf
        """When audio came last, by the event loop's clock."""

    def end(self, error: Exception) -> None:
        """Ends this client's call with an error; what its audio still owes is heard."""
        if self._ended is None:
            self._ended = error
            self._feed(np.zeros(0, dtype=np.float32), last=True)
        self.conversation.chronicle.journal.wake()

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended

    async def entries(self) -> AsyncIterator[Entry]:
        """The events this client has not seen, as they come, to the end of the interview.

        Before them the answer to the join: it is this client's alone, is not kept, and goes under
        the number of the last event that the client has seen, so that none is missed behind it.

        Raises:
            Exception: What `end` was called with; `Aborted` when another client has joined.
        """
        chronicle = self.conversation.chronicle
        self._check()
        told = AudioReceived(self.conversation.ears.intake.told)
        yield self._told(Entry(self._seen, chronicle.clock.now(), told))
        while True:
            changed = chronicle.journal.changed()
            for entry in chronicle.journal.after(self._seen):
                self._check()
                self._seen = entry.seq
                yield self._told(entry)
            self._check()
            # Not by the newest number: behind a rebuilt journal's there may be none yet.
            if not chronicle.journal.after(self._seen):
                if self.conversation.over:
                    return
                await changed.wait()

    def _told(self, entry: Entry) -> Entry:
        """An event as this client is told of it."""
        if not isinstance(entry.event, AudioReceived):
            return entry
        received = self.conversation.ears.intake.received
        kept = self.conversation.kept(self.client)
        return replace(entry, event=replace(entry.event, received=received, message=kept))

    def hear(self, audio: bytes, offset: float | None, field: str) -> None:
        """Takes the candidate's samples.

        Args:
            audio: Whole frames in the shape the client named.
            offset: Where the first lies, in seconds from the first audio of the interview; None
                means right behind what came before.
            field: What to call the chunk in an error.

        Raises:
            FailedPrecondition: The client said that it sends no audio.
            InvalidField: The bytes are no whole frames, or far more has come than can have been
                spoken.
            Aborted: Another client has joined.
        """
        fit = self.check(audio, offset, field)
        source = self._source or AudioFormat()
        samples = mono(_DECODERS[source.encoding](audio), source.channels)
        self.heard_at = asyncio.get_running_loop().time()
        AUDIO_REPEATED.inc(fit.repeated)
        self.conversation.ears.intake.take(fit)
        if fit.gap:
            silence = min(fit.gap, MOST_SILENCE_SECONDS)
            self._feed(np.zeros(round(silence * self._rate), dtype=np.float32))
            self.conversation.ears.skip(fit.gap - silence)
        self._feed(samples[round(fit.repeated * self._rate) :])
        self.conversation.ears.taken()

    def _feed(self, samples: Float32, *, last: bool = False) -> None:
        resampled = self._resampler.feed(samples, last=last)
        if resampled.size:
            self.conversation.ears.hear(s16le_from_float(resampled))

    def check(self, audio: bytes, offset: float | None, field: str, planned: float = 0.0) -> Fit:
        """Whether `hear` would take these samples, and how they join; raises what `hear` does.

        `planned` seconds of audio are taken to have been heard by then.
        """
        self._check()
        source = self._source
        if source is None:
            raise FailedPrecondition(
                "NO_AUDIO", "the join named no input format: answers are typed"
            )
        if len(audio) % source.frame_bytes:
            raise InvalidField(
                f"{field}.audio",
                f"{len(audio)} bytes are no whole {source.frame_bytes}-byte frames",
            )
        ahead = self.conversation.ears.ahead + planned
        if ahead > MOST_AHEAD_SECONDS:
            raise InvalidField(
                "join.input.sample_rate_hz",
                f"at {source.sample_rate_hz} samples a second, {ahead:.0f} s more audio has come"
                " than time has passed: name the rate and the channels that are sent, and send no"
                " faster than people speak",
            )
        intake = self.conversation.ears.intake
        fit = intake.fit(offset, len(audio) / source.frame_bytes / self._rate, planned)
        if ahead + fit.gap > MOST_AHEAD_SECONDS:
            raise InvalidField(
                f"{field}.offset",
                f"lies in the future; audio was received up to {intake.received:.3f} s, and"
                " offsets count from the first audio of the interview",
            )
        return fit

    def played(
        self, utterance_id: str, position: float, *, finished: bool, client_time: float | None
    ) -> None:
        """The client has played an utterance up to `position` at `client_time` on its clock."""
        when = self._clock.moment(client_time, self.conversation.chronicle.clock.now())
        self.send(m.Played(utterance_id, Heard(position, when, finished)))

    def send(self, message: m.Message) -> None:
        """Hands on what the candidate does.

        Raises:
            Aborted: Another client has joined.
        """
        self._check()
        self.conversation.send(message)

    def say(self, message: m.Sayable, number: int | None, field: str = "candidate") -> None:
        """`send`, once under its number. A client without a name has none.

        Raises:
            RefusedField: A greater number was taken before, and this one was not.
            Aborted: Another client has joined.
        """
        if not self.is_new(number, field):
            return
        if number is None or self.client is None:
            self.send(message)
        else:
            self.send(m.Numbered(self.client, number, message))
            _note(self._numbers, self.client, self._said().behind(number))

    def _said(self) -> Said:
        """Which of this client's numbered messages were taken."""
        client = self.client or ""
        return self._numbers.get(client) or Said(client)

    def is_new(self, number: int | None, field: str, planned: Iterable[int] = ()) -> bool:
        """Whether this client's message of this number is one that was not taken before.

        Args:
            number: The message's; None for one that is taken as often as it comes.
            field: What to call the message in an error.
            planned: Numbers that are taken to have been taken by then.

        Raises:
            RefusedField: `say` would not take it: NUMBER_PASSED.
        """
        if number is None or self.client is None:
            return True
        said = self._said()
        for each in planned:
            said = said.behind(each)
        if number > said.number:
            return True
        # Not taken behind it either: the client was told, or will be, that all up to there is kept.
        if not said.has(number):
            raise RefusedField(
                "NUMBER_PASSED",
                f"{field}.number",
                f"{number} comes behind {said.number} and is not known to have been taken:"
                " messages are numbered in the order in which they are said; say this one again"
                " under the next number",
            )
        return False

    def type(self, text: str, number: int | None, field: str) -> None:
        """`say` for an answer that is typed.

        Raises:
            RefusedField: More than an interview takes; or as `say`.
            Aborted: Another client has joined.
        """
        if self.is_new(number, field):
            amount = self.check_typed(text, field)
            self.say(m.Typed(text), number, field)
            self._typed.take(amount)

    def check_typed(self, text: str, field: str, planned: Amount = NOTHING) -> Amount:
        """Whether a new answer would be taken behind what is `planned`; how much more it is."""
        return self._typed.check(text, field, planned)


class Attendance:
    """Who is there, of one interview."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        absence_seconds: float,
        abandoned_seconds: float,
        abandoned: Callable[[], None] | None = None,
    ) -> None:
        """Takes how long a candidate may be gone until the interview is paused, and given up.

        An interview that waited for ever for somebody would take the place of another. It is laid
        aside by `abandoned`; without that it is ended.
        """
        self.conversation = conversation
        self.seat: Seat | None = None
        self._absence_seconds = absence_seconds
        self._abandoned_seconds = abandoned_seconds
        self._abandoned = abandoned or (lambda: conversation.send(m.End()))
        self._absence: list[asyncio.TimerHandle] = []
        self.absent_since: float | None = asyncio.get_running_loop().time()
        """Since when nobody is there, on the event loop's clock; None while somebody is."""
        state = conversation.state
        self._sent_away: dict[str, None] = dict.fromkeys(state.sent_away)
        self._sat = state.client
        self._numbers: Numbers = {said.client: said for said in state.said}
        self._typed = Typed(conversation)
        self._calls: dict[tuple[str | None, int], None] = {
            (call.client, call.number): None for call in state.calls
        }

    def join(
        self,
        source: AudioFormat | None,
        output: AudioFormat | None,
        last_seq: int | None,
        client: str | None = None,
    ) -> Seat:
        """Seats a client; whoever sat there is sent away.

        A client that has seen nothing begins its numbering of Speak calls anew.

        Raises:
            Aborted: This client was sent away by another before.
        """
        if client in self._sent_away:
            raise taken_over()
        self.close()
        self.absent_since = None
        if self.seat is not None:
            self.seat.end(taken_over())
        # Also who sat there at another server, and may not know that it is gone.
        sent_away = self._sat if self._sat != client else None
        if sent_away is not None:
            _note(self._sent_away, sent_away, None)
        self._sat = client
        if last_seq is None:
            self._calls = {taken: None for taken in self._calls if taken[0] != client}
            self.conversation.send(m.Called(client, 0))
        self.seat = Seat(
            self.conversation, source, last_seq or 0, client, self._numbers, self._typed
        )
        self.conversation.chronicle.clock.start()
        joined = m.Joined(output, source is not None, client, sent_away)
        self.conversation.join(joined, anew=last_seq is None)
        return self.seat

    def leave(self, seat: Seat) -> None:
        """A client is gone. The seat stays for its Speak calls until another joins."""
        if seat is self.seat and not self.conversation.over:
            self.conversation.send(m.Left())
            self.wait()

    def wait(self) -> None:
        """Nobody is there: the interview is paused and ended in time."""
        self.close()
        loop, send = asyncio.get_running_loop(), self.conversation.send
        if self.absent_since is None:
            self.absent_since = loop.time()
        self._absence = [
            loop.call_later(self._absence_seconds, send, m.Pause()),
            loop.call_later(self._abandoned_seconds, self._abandoned),
        ]

    def close(self) -> None:
        """Waits for nobody any more."""
        for timer in self._absence:
            timer.cancel()
        self._absence = []

    def _named(self, call: int) -> tuple[str | None, int]:
        return (self.seat.client if self.seat else None, call)

    def knows(self, call: int) -> bool:
        """Whether the client's Speak call of this number was taken."""
        return self._named(call) in self._calls

    def called(self, call: int) -> None:
        """The client's Speak call of this number was taken: that is kept with what it has said."""
        client, number = self._named(call)
        self._calls[client, number] = None
        if len(self._calls) > CALLS_REMEMBERED:
            del self._calls[next(iter(self._calls))]
        self.conversation.send(m.Called(client, number))
