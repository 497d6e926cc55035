"""The candidate holds the turn: silence does not end it until they go on, or the time is over."""

from __future__ import annotations

from services.interview.conversation import actions as a
from services.interview.conversation import answers, replies
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Hold, Timer
from services.interview.events import TurnHeld


def hold(scene: Scene, limit: float) -> None:
    """The turn is held for at most `limit` seconds from now."""
    until = scene.now + limit
    scene.set(hold=Hold(until))
    scene.tell(TurnHeld(until))
    hold_on(scene, limit)
    scene.cancel(Timer.QUIET)
    scene.cancel(Timer.LOOK_AGAIN)
    if scene.place.step.asks and scene.state.floor is None:
        replies.drop(scene)
        answers.reopen(scene)


def hold_on(scene: Scene, seconds: float) -> None:
    """Bears silence for so many seconds at most."""
    scene.want(a.Listen(scene.script.pace.endpointing(scene.state.patience, held=True)))
    scene.start(Timer.HOLD, seconds)


def release(scene: Scene) -> None:
    """The turn is no longer held."""
    if scene.state.hold is None:
        return
    scene.set(hold=None)
    scene.tell(TurnHeld(None))
    scene.cancel(Timer.HOLD)
    scene.want(a.Listen(scene.script.pace.endpointing(scene.state.patience)))
