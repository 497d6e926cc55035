"""How much of an utterance has been heard, from the client's acknowledgements and the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.interview.clients.seams import PlacedWord

TOLERANCE_SECONDS = 0.05
"""Rounding and a last chunk still in the sound card."""
CLOCK_MESSAGES = 64
"""So many messages tell the offset of a client's clock; older ones may have drifted."""
LATEST_SECONDS = 5.0
"""A message that seems to have taken longer comes from a clock that did jump: it begins anew."""
HEARD_SHARE = 0.5
"""A word counts as heard once half of it was played."""
HORIZON_SECONDS = 1.0
"""Between acknowledgements playback is taken to go on for so long; clients send several a second.
Of a client that acknowledged before and has stopped, only what it acknowledged counts."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A client had played up to `position` at `when`; `finished`, to the end of what it has."""

    position: float
    when: float
    finished: bool


class ClientClock:
    """A client's clock against the interview's, by the fastest of its latest messages."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=CLOCK_MESSAGES)

    def moment(self, client_time: float | None, now: float) -> float:
        """When on the interview's clock a message was written; now, if it does not say."""
        if client_time is None:
            return now
        self._offsets.append(now - client_time)
        moment = client_time + min(self._offsets)
        if now - moment <= LATEST_SECONDS:
            return moment
        self._offsets.clear()
        self._offsets.append(now - client_time)
        return now


@dataclass(frozen=True, slots=True)
class Playback:
    """The playing of one utterance at the client, in seconds; `now` is the interview's clock.

    Between acknowledgements playback is taken to go on in real time, but never beyond the audio
    that was sent, and never before there is any. A client that acknowledges nothing is taken to
    play from the first piece on.

    Attributes:
        acknowledged: Whether the client has ever said how far it is.
        stretches: Where in the audio playback began or went on, and when.
        sent: Seconds of audio sent so far.
        held: Whether playback is to stand still.
    """

    acknowledged: bool = False
    stretches: tuple[tuple[float, float], ...] = ()
    sent: float = 0.0
    held: bool = False
    base: float = 0.0
    since: float | None = None
    confirmed: float = 0.0
    confirmed_at: float = 0.0

    @property
    def finished(self) -> bool:
        """Whether the client says that it has played all there is."""
        return self.acknowledged and self.confirmed >= self.sent - TOLERANCE_SECONDS

    def send(self, until: float, now: float) -> Playback:
        """Audio up to `until` has been sent."""
        if until <= self.sent:
            return self
        dry = self.position(now) >= self.sent
        if not dry or self.held:
            return replace(self, sent=until)
        # Playback that waited for audio goes on from there, and no earlier.
        base = max(self.position(now), min(self.confirmed, until))
        return replace(self, base=base, sent=until)._go_on(now)

    def acknowledge(self, heard: Heard) -> Playback:
        """The client says how far it has played.

        What is older than what was acknowledged before, or contradicts it, changes nothing: what
        was heard stays heard.
        """
        position = max(heard.position, self.sent) if heard.finished else heard.position
        if heard.when < self.confirmed_at or position < self.confirmed:
            return replace(self, acknowledged=True)
        since = None if self.since is None else max(self.since, heard.when)
        return replace(
            self,
            acknowledged=True,
            confirmed=position,
            confirmed_at=heard.when,
            base=position,
            since=since,
        )

    def pause(self, now: float) -> Playback:
        """Playback stops."""
        return replace(self, base=self.position(now), since=None, held=True)

    def resume(self, now: float) -> Playback:
        """Playback goes on, if there is something to play."""
        going = replace(self, held=False)
        return going._go_on(now) if self.sent else going

    def _go_on(self, now: float) -> Playback:
        return replace(self, since=now, stretches=(*self.stretches, (self.base, now)))

    def position(self, now: float) -> float:
        """Up to where it has probably been played."""
        elapsed = 0.0 if self.since is None else max(0.0, now - self.since)
        return min(self.sent, self.base + elapsed)

    def heard(self, now: float) -> float:
        """Up to where it counts as heard."""
        silent = now - self.confirmed_at > HORIZON_SECONDS
        if self.acknowledged and silent and not self.held:
            return min(self.sent, self.confirmed)
        return self.position(now)

    def remaining(self, now: float) -> float:
        """Seconds of sent audio that are probably still to be played."""
        return self.sent - self.position(now)


def heard_text(text: str, words: Sequence[PlacedWord], position: float) -> str:
    """The text up to the last word of which at least `HEARD_SHARE` was played at `position`."""
    end = 0
    for word in words:
        if word.start + HEARD_SHARE * (word.end - word.start) <= position:
            end = max(end, word.text_end)
    if end and not any(character.isalnum() for character in text[end:]):
        end = len(text)
    return text[:end]
