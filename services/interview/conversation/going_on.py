"""What is due when nothing goes on. It is asked after every event, so that nobody waits in vain."""

from __future__ import annotations

from services.interview.conversation import (
    answers,
    commanding,
    holding,
    replies,
    speaking,
    turn_taking,
    wishes,
)
from services.interview.conversation.progress import OPENING
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Timer
from services.interview.record import Patience, Phase, State

REMINDERS = 2
"""A silent candidate is asked again, then offered to skip; then the interview pauses."""


def go_on(scene: Scene) -> None:
    """Begins what is due, if nothing is under way; what is only shown is over at once."""
    place = None
    while place is not scene.place and scene.state.floor is None:
        place = scene.place
        _begin_what_is_due(scene)


def _begin_what_is_due(scene: Scene) -> None:
    state = scene.state
    if not state.storing:
        return
    if state.state is State.READY:
        if state.present:
            speaking.move(scene, State.LIVE)
            speaking.say(scene, scene.script.line(OPENING))
        return
    if not scene.live:
        return
    replies.say_if_due(scene)
    state = scene.state
    waits = state.reply is not None and state.reply.released is not None
    if state.idle and not waits and state.present:
        _begin(scene)


def _begin(scene: Scene) -> None:
    place = scene.place
    if place.line is None:
        speaking.say(scene, scene.script.line(OPENING))
    elif place.repeat and wishes.granted(scene):
        return
    elif not place.step.asks:
        _move_on(scene)
    elif place.answer.unfinished:
        answers.settle(scene)
        _reply(scene)
    elif place.answer.turns:
        _reply(scene)
    elif place.repeat or (not place.asked and scene.state.running(Timer.QUIET) is None):
        scene.set_place(repeat=False)
        speaking.say(scene, scene.script.again(place.line))
    else:
        _listen(scene)


def _move_on(scene: Scene) -> None:
    """Goes on from a step that needs no answer."""
    answers.settle(scene)
    if scene.place.step.phase is Phase.CLOSING:
        commanding.close(scene)
    else:
        wishes.skip(scene)


def _reply(scene: Scene) -> None:
    replies.release(scene, replies.turn_clock(scene, scene.place.answer.turns[-1]))
    replies.say_if_due(scene)


def _listen(scene: Scene) -> None:
    state = scene.state
    if state.present and state.speaks and state.running(Timer.QUIET) is None:
        scene.start(Timer.QUIET, scene.script.pace.quiet_seconds(state.patience))


def still_quiet(scene: Scene) -> None:
    """The candidate has said nothing for long."""
    state, place = scene.state, scene.place
    if not (state.idle and scene.live and state.present and place.step.asks and place.line):
        return
    scene.set(quiet=state.quiet + 1)
    if not state.speaks:
        wishes.offer_to_skip(scene)
    elif state.quiet == 0:
        speaking.say(scene, scene.script.repeated(place.line))
    elif state.quiet < REMINDERS:
        wishes.offer_to_skip(scene)
    else:
        scene.set(quiet=0)
        commanding.pause(scene)


def held_long_enough(scene: Scene) -> None:
    """The time is over for which the turn was held open.

    Who speaks and says nothing then is asked again, as ever. Who writes is left alone but for this
    once, after a patient while; a question whether to end stands before them until they write, as
    before whoever is gone.
    """
    if scene.state.speaks and scene.state.present:
        scene.set(ending=False)
    holding.release(scene)
    if not scene.state.speaks and not scene.state.ending and scene.place.asked:
        scene.start(Timer.QUIET, scene.script.pace.quiet_seconds(Patience.PATIENT))
    turn_taking.consider(scene)


def shake(scene: Scene) -> None:
    """Nothing has happened for long, and something should have: whatever hangs is given up."""
    state, floor = scene.state, scene.state.floor
    if floor is not None and floor.suspended and state.running(Timer.SUSPICION) is None:
        speaking.resume(scene)
    elif floor is not None and not floor.playback.held and state.running(Timer.SOUND) is None:
        speaking.sound_overdue(scene)
    elif state.running(Timer.LOSS) is not None:
        return
    elif state.speech.under_way and state.hold is None:
        turn_taking.salvage(scene)
    elif state.reply is not None and state.reply.released is not None:
        replies.fall_back(scene)
