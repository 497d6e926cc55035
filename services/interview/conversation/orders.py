"""Pause, resume and end, in their order: what stops waits for the text of what was just said."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from services.interview.conversation import messages as m
from services.interview.conversation.running_speech import RunningSpeech
from services.interview.record import State

FINAL_SECONDS = 2.0
"""A pause or an end waits so long for that text."""


class Orders:
    """Commands that are not carried out yet.

    Args:
        speech: What the candidate is saying.
        finish_turn: Asks for its final text.
        later: Sends a message in so many seconds.
    """

    def __init__(
        self,
        speech: RunningSpeech,
        finish_turn: Callable[[], None],
        later: Callable[[float, m.Message], None],
    ) -> None:
        self._speech = speech
        self._finish_turn = finish_turn
        self._later = later
        self._waiting: deque[m.Command] = deque()

    def take(self, command: m.Command) -> None:
        """Takes a command."""
        self._waiting.append(command)
        if self._speech.under_way and not isinstance(command, m.Resume):
            self._finish_turn()
            self._later(FINAL_SECONDS, m.FinalOver())

    def hurry(self) -> None:
        """The text has had its time."""
        self._speech.overdue = bool(self._waiting)

    def due(self, state: State) -> m.Command | None:
        """The next command, if there is one and it waits for nothing."""
        if not self._waiting:
            return None
        stops = not isinstance(self._waiting[0], m.Resume)
        if stops and state is State.LIVE and self._speech.awaited:
            return None
        return self._waiting.popleft()

    def give_up(self) -> None:
        """Nothing is carried out any more: whoever waits for it goes on."""
        while self._waiting:
            self._waiting.popleft().done.set()
