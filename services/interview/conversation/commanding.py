"""Pause, resume, end, hand on, in their order. A pause and an end wait for what was just said."""

from __future__ import annotations

from dataclasses import replace

from services.interview.conversation import actions as a
from services.interview.conversation import answers, holding, replies, speaking, turn_taking
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Obeyed, Order, OrderKind, Timer
from services.interview.record import State

STOPS = frozenset({OrderKind.PAUSE, OrderKind.END})
"""What is carried out once the text is there of what was just said."""


def take(scene: Scene, kind: OrderKind, number: int) -> None:
    """Takes an order."""
    scene.set(orders=(*scene.state.orders, Order(kind, number)))
    if kind in STOPS and scene.live and scene.state.speech.under_way:
        scene.want(a.Finalize())
        scene.start(Timer.ORDERS, scene.script.pace.order)


def hurry(scene: Scene) -> None:
    """The text of what was just said has had its time."""
    if scene.state.orders:
        scene.set(speech=replace(scene.state.speech, overdue=True))


def carry_out(scene: Scene) -> None:
    """Obeys the orders whose time has come."""
    while scene.state.orders:
        order = scene.state.orders[0]
        speech = scene.state.speech
        if order.kind in STOPS and scene.live and speech.under_way and not speech.overdue:
            return
        scene.set(orders=scene.state.orders[1:])
        _obey(scene, order.kind)
        report_stored(scene, order.number)


def report_stored(scene: Scene, number: int) -> None:
    """Has all that has happened stored, and who ordered it told."""
    scene.touch()
    obeyed = Obeyed(scene.state.commit + 1, number)
    scene.set(obeyed=(*scene.state.obeyed, obeyed))


def _obey(scene: Scene, kind: OrderKind) -> None:
    state = scene.state.state
    if kind is OrderKind.PAUSE and state is State.LIVE:
        pause(scene)
    elif kind is OrderKind.RESUME and state is State.PAUSED:
        resume(scene)
    elif kind is OrderKind.HAND_ON:
        hand_on(scene)
    elif kind is OrderKind.END and not state.over:
        end(scene)


def end(scene: Scene) -> None:
    """Ends it here, whatever is under way; what was understood of it is kept."""
    if scene.state.speech.under_way:
        turn_taking.salvage(scene)
    _quiet_down(scene)
    close(scene)


def pause(scene: Scene) -> None:
    """Stops where we are."""
    if scene.state.speech.under_way and scene.state.floor is not None:
        # Its text does not come any more to tell whether it was an interruption.
        turn_taking.salvage(scene)
    _quiet_down(scene)
    # Whoever comes back, perhaps after days, hears the question once more.
    scene.set_place(repeat=True)
    speaking.move(scene, State.PAUSED)


def hand_on(scene: Scene) -> None:
    """Leaves the interview to another process, live as it is.

    What is being said is kept as far as it was understood; the client sends it once more, and what
    the other process hears then takes its place.
    """
    if scene.live:
        if scene.state.speech.under_way:
            turn_taking.leave(scene)
        replies.drop(scene)
        replies.forget(scene)
        speaking.stop(scene)
    scene.set(handed_on=True)
    for running in scene.state.timers:
        if running.timer is not Timer.STORE:
            scene.cancel(running.timer)


def _quiet_down(scene: Scene) -> None:
    replies.drop(scene)
    replies.forget(scene)
    holding.release(scene)
    answers.settle(scene)
    speaking.stop(scene)
    for timer in (Timer.QUIET, Timer.LOOK_AGAIN, Timer.FINAL, Timer.LOSS, Timer.ORDERS):
        scene.cancel(timer)


def resume(scene: Scene) -> None:
    """Goes on where we stopped."""
    speaking.move(scene, State.LIVE)
    speech = scene.state.speech
    if speech.under_way and not (speech.lost and not speech.text):
        turn_taking.salvage(scene)


def close(scene: Scene) -> None:
    """The conversation is over: a report is written if anything was answered."""
    step = scene.place.step
    if not scene.state.answered:
        speaking.move(scene, State.CANCELLED)
        return
    if step.asks:
        scene.want(a.Score(step.round))
    speaking.move(scene, State.REVIEWING)
    scene.want(a.Review())
