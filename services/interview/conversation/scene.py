"""One step of the engine at work: the state as it changes, and what is wanted of the world."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from services.interview.conversation import actions as a
from services.interview.conversation.script import Script
from services.interview.conversation.state import (
    Place,
    Running,
    SessionState,
    Timer,
    Untold,
)
from services.interview.events import Event, LastingEvent
from services.interview.record import State, Turn

_NAMESPACE = uuid.UUID("9a0b4c1e-4a7e-4a4f-8f6c-3f0d9f4f6a51")


class Scene:
    """The state while one event is dealt with. Nothing outside is touched."""

    def __init__(self, script: Script, state: SessionState, now: float) -> None:
        self.script = script
        self.state = state
        self.now = now
        self.actions: list[a.Action] = []
        self._dirty = False

    # The state.

    def set(self, **changes: Any) -> None:
        """Changes parts of the state."""
        self.state = replace(self.state, **changes)

    def set_place(self, **changes: Any) -> None:
        """Changes parts of where the interview stands."""
        self.set(place=replace(self.state.place, **changes))

    def withdraw(self) -> None:
        """What the candidate was asked of the interview itself is not asked any more."""
        self.set(offered=False, ending=False, doubted=None)

    @property
    def place(self) -> Place:
        """Where the interview stands."""
        return self.state.place

    @property
    def live(self) -> bool:
        """Whether the conversation goes on."""
        return self.state.state is State.LIVE

    def number(self) -> int:
        """A number that was not used before."""
        self.set(counter=self.state.counter + 1)
        return self.state.counter

    def name(self) -> str:
        """An id that was not used before."""
        return uuid.uuid5(_NAMESPACE, f"{self.script.interview_id}/{self.number()}").hex

    def ask(self, round_number: int, question_id: str) -> None:
        """Another question than the planned one is asked in a round from here on."""
        script = self.script.with_question(round_number, question_id)
        if script is not self.script:
            self.script = script
            self.want(a.Ask(round_number, question_id))

    # What is wanted.

    def want(self, action: a.Action) -> None:
        """Wants something done."""
        self.actions.append(action)

    def tell(self, event: Event) -> None:
        """Tells the clients at once."""
        self.want(a.Tell(event))

    def tell_stored(self, event: LastingEvent) -> None:
        """Tells the clients once the next commit is done."""
        self._dirty = True
        untold = Untold(self.state.commit + 1, event)
        self.set(untold=(*self.state.untold, untold))

    def keep(self, turn: Turn) -> None:
        """Puts a turn into the record."""
        self._dirty = True
        self.want(a.Keep(turn))

    def touch(self) -> None:
        """What has changed is worth a commit."""
        self._dirty = True

    def commit(self) -> None:
        """Wants stored what has to be, before anything else that is wanted is begun."""
        if not self._dirty:
            return
        self._dirty = False
        self.set(commit=self.state.commit + 1)
        kept = (a.Keep, a.Move, a.Ask, a.ChangePatience)
        record = [action for action in self.actions if isinstance(action, kept)]
        others = [action for action in self.actions if not isinstance(action, kept)]
        # Nothing waits for the commit but what has to: it begins first, and runs beside the rest.
        # While the store fails it has its own pace, whatever happens meanwhile.
        commit = [a.Commit(self.state.commit)] if self.state.storing else []
        self.actions = [*record, *commit, *others]

    # Time.

    def start(self, timer: Timer, seconds: float) -> None:
        """Starts a timer, in the place of the one of its kind."""
        number = self.number()
        others = tuple(kept for kept in self.state.timers if kept.timer is not timer)
        self.set(timers=(*others, Running(timer, number, self.now + seconds)))
        self.want(a.StartTimer(timer, number, seconds))

    def cancel(self, timer: Timer) -> None:
        """Stops a timer, if it runs."""
        if self.state.running(timer) is not None:
            self.set(timers=tuple(kept for kept in self.state.timers if kept.timer is not timer))
            self.want(a.CancelTimer(timer))
