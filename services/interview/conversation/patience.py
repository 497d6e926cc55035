"""How long a pause is borne: by the candidate's patience, and longer while they hold the turn."""

from __future__ import annotations

from collections.abc import Callable

from services.interview.clients.seams import Endpointing
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.pace import Pace
from services.interview.events import TurnHeld
from services.interview.record import Patience

_FACTORS = {
    Patience.BRISK: (0.8, 0.7),
    Patience.NORMAL: (1.0, 1.0),
    Patience.PATIENT: (1.6, 2.5),
}
"""Of the settings' least and greatest silence. Most pauses inside an answer are under a second, a
person's thinking pauses last up to two (Campione & Véronis 2002): 0.56, 0.8 and 2 s by default."""
HOLD_SILENCE_SECONDS = 30.0
"""The longest silence a recogniser can be told to bear; beyond it the turn is held open here."""
DEFAULT_HOLD_SECONDS = 30.0


def endpointing(pace: Pace, patience: Patience) -> Endpointing:
    """When a turn is over at this patience."""
    least, greatest = _FACTORS[patience]
    return Endpointing(pace.min_silence * least, pace.max_silence * greatest)


class TurnPatience:
    """Whether the turn is held, and what the recogniser is told about silences."""

    def __init__(
        self,
        chronicle: Chronicle,
        pace: Pace,
        listen: Callable[[Endpointing], None],
        over: Callable[[float, int], None],
    ) -> None:
        """Takes who is told of other silences as `listen`.

        `over` is to report in so many seconds that the hold of this number is over.
        """
        self._chronicle = chronicle
        self._pace = pace
        self._listen = listen
        self._over = over
        self._number = 0
        # Whether the candidate has begun to speak since they held the turn.
        self._spoke_again = False
        self.held = False

    def endpointing(self) -> Endpointing:
        """When a turn is over, as things stand."""
        normal = endpointing(self._pace, self._chronicle.interview.settings.patience)
        if not self.held:
            return normal
        return Endpointing(normal.min_silence, max(normal.max_silence, HOLD_SILENCE_SECONDS))

    async def set(self, patience: Patience) -> None:
        """From here on a pause is borne so long."""
        await self._chronicle.set_patience(patience)
        self._listen(self.endpointing())

    def hold(self, limit: float) -> None:
        """The turn is held for at most `limit` seconds from now."""
        self._number += 1
        self.held, self._spoke_again = True, False
        self._chronicle.emit(TurnHeld(self._chronicle.clock.now() + limit))
        self._listen(self.endpointing())
        self._over(limit, self._number)

    def runs(self, number: int) -> bool:
        """Whether the hold of this number still is."""
        return self.held and number == self._number

    def release(self) -> None:
        """The turn is no longer held."""
        if self.held:
            self.held = False
            self._chronicle.emit(TurnHeld(None))
            self._listen(self.endpointing())

    def speech_began(self) -> None:
        """The candidate makes a sound."""
        self._spoke_again = True

    def words_came(self) -> None:
        """Words were heard: if they came after the hold, the candidate goes on."""
        if self._spoke_again:
            self.release()
