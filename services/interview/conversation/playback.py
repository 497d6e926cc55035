"""How much of an utterance has been heard, from the client's acknowledgements and the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.interview.clients.seams import PlacedWord

TOLERANCE_SECONDS = 0.05
"""Rounding and a last chunk still in the sound card."""
CLOCK_MESSAGES = 64
"""So many messages tell the offset of a client's clock; older ones may have drifted."""
LATEST_SECONDS = 5.0
"""A message that seems to have taken longer comes from a clock that did jump: it begins anew."""
HEARD_SHARE = 0.5
"""A word counts as heard once half of it was played."""


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


class Playback:
    """The playing of one utterance at the client, in seconds; `now` is the interview's clock.

    Between acknowledgements playback is taken to go on in real time, but never beyond the audio
    that was sent. A client that acknowledges nothing is taken to play from the first piece on.
    """

    def __init__(self) -> None:
        self.acknowledged = False
        self.stretches: list[tuple[float, float]] = []
        """Where in the audio playback began or went on, and when."""
        self._sent = 0.0
        self._position = 0.0
        self._since: float | None = None
        self._confirmed = 0.0
        self._confirmed_at = 0.0

    @property
    def finished(self) -> bool:
        """Whether the client says that it has played all there is."""
        return self.acknowledged and self._confirmed >= self._sent - TOLERANCE_SECONDS

    @property
    def sent(self) -> float:
        """Seconds of audio sent so far."""
        return self._sent

    def send(self, until: float, now: float) -> None:
        """Audio up to `until` has been sent."""
        if self._since is None and self._sent == 0.0:
            self._since = now
            self.stretches.append((0.0, now))
        self._sent = max(self._sent, until)

    def acknowledge(self, heard: Heard) -> None:
        """The client says how far it has played.

        What is older than what was acknowledged before, or contradicts it, changes nothing: what
        was heard stays heard.
        """
        self.acknowledged = True
        position = max(heard.position, self._sent) if heard.finished else heard.position
        if heard.when < self._confirmed_at or position < self._confirmed:
            return
        self._confirmed, self._confirmed_at = position, heard.when
        self._position = position
        if self._since is not None:
            self._since = max(self._since, heard.when)

    def pause(self, now: float) -> None:
        """Playback stops."""
        self._position = self.position(now)
        self._since = None

    def resume(self, now: float) -> None:
        """Playback goes on."""
        self._since = now
        self.stretches.append((self._position, now))

    def position(self, now: float) -> float:
        """Up to where it has probably been played."""
        elapsed = 0.0 if self._since is None else max(0.0, now - self._since)
        return min(self._sent, self._position + elapsed)

    def remaining(self, now: float) -> float:
        """Seconds of sent audio that are probably still to be played."""
        return self._sent - self.position(now)


def heard_text(text: str, words: Sequence[PlacedWord], position: float) -> str:
    """The text up to the last word of which at least `HEARD_SHARE` was played at `position`."""
    end = 0
    for word in words:
        if word.start + HEARD_SHARE * (word.end - word.start) <= position:
            end = max(end, word.text_end)
    if end and not any(character.isalnum() for character in text[end:]):
        end = len(text)
    return text[:end]
