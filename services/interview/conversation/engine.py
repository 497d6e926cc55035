"""The turn engine: one event in, the new state and what is wanted of the world out.

Pure: no clock, no task, no I/O. The same state, event and moment give the same result. Each
concern has a module of its own; this one says which event is whose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.interview.conversation import actions as a
from services.interview.conversation import (
    answers,
    commanding,
    degrading,
    events,
    going_on,
    holding,
    replies,
    speaking,
    turn_taking,
    wishes,
)
from services.interview.conversation.journal import REBUILT_GAP
from services.interview.conversation.scene import Scene
from services.interview.conversation.script import Script
from services.interview.conversation.state import (
    Call,
    Prepared,
    Said,
    SessionState,
    Speech,
    Timer,
)
from services.interview.events import AudioFormat, ReportReady
from services.interview.record import Patience, Phase, State, Turn
from services.interview.understanding.intent import Intent, understand

READ_SECONDS = 0.7
"""A text that comes so soon after a question was shown was written before it."""
FORGOTTEN_SECONDS = 60.0
"""Whoever comes back after longer hears the question once more."""
CALLS_KEPT = 32
"""So many Speak calls, of all clients, may be retried at another orchestrator."""
CLIENTS_KEPT = 64
"""Of so many it is known which were sent away, and how far their messages are kept."""


def step(
    script: Script, state: SessionState, event: events.Happening, now: float
) -> tuple[SessionState, Sequence[a.Action]]:
    """Deals with one event.

    Args:
        script: What is fixed for the session.
        state: The session before.
        event: What has happened.
        now: When, on the interview's clock.
    """
    if state.finished or (state.handed_on and not _still_counts(event)):
        return state, ()
    scene = Scene(script, state, now)
    _take(scene, event)
    if not scene.state.finished:
        commanding.carry_out(scene)
        if not scene.state.handed_on:
            going_on.go_on(scene)
            if _differ(state, scene.state):
                _prepare_lines(scene)
            _watch(scene, event)
        scene.commit()
        _end(scene)
    return scene.state, scene.actions


def _still_counts(event: events.Happening) -> bool:
    """Whether it counts in a session that is handed on: what happened before is stored and told."""
    match event:
        case events.Committed() | events.CommitFailed() | events.LeaseGone() | events.Restored():
            return True
        case events.Fired():
            return event.timer is Timer.STORE
        case _:
            return False


def _take(scene: Scene, event: events.Happening) -> None:
    match event:
        case events.Heard():
            turn_taking.heard(scene, event.event)
        case events.Fired():
            _fired(scene, event)
        case events.PieceMade() | events.SpeechMade() | events.Played():
            _sounded(scene, event)
        case events.Assessed() | events.Composed():
            _thought(scene, event)
        case events.Committed() | events.CommitFailed() | events.LeaseGone():
            _stored(scene, event)
        case events.Failed() | events.Worked():
            _served(scene, event)
        case events.Joined():
            _attended(scene, event.client, event.sent_away)
            _joined(scene, event.output, speaks=event.speaks)
        case events.Left():
            scene.set(present=False)
            scene.cancel(Timer.QUIET)
            speaking.nobody_listens(scene)
        case events.Ordered():
            commanding.take(scene, event.kind, event.number)
        case events.Reviewed():
            _reviewed(scene, event)
        case events.Restored():
            _restored(scene, died=event.died)
        case _:
            _wanted(scene, event)


def _wanted(scene: Scene, event: events.Happening) -> None:
    """What the candidate does, besides speaking."""
    match event:
        case events.Numbered():
            _note(scene, event.client, event.number)
            _wanted(scene, event.message)
        case events.Stored():
            commanding.report_stored(scene, event.number)
        case events.Called():
            _called(scene, event)
        case events.Typed():
            _typed(scene, event.text)
        case events.SetPatience():
            _set_patience(scene, event.patience)
        case _ if not scene.live:
            return
        case events.Interrupted():
            speaking.stop(scene, read=True)
        case events.Hold():
            holding.hold(scene, event.limit)
        case events.Finished():
            turn_taking.finished(scene)
        case _:
            return


def _sounded(scene: Scene, event: events.PieceMade | events.SpeechMade | events.Played) -> None:
    match event:
        case events.PieceMade():
            speaking.piece_made(scene, event.utterance_id, event.piece)
        case events.SpeechMade():
            speaking.speech_made(scene, event.utterance_id, event.failure)
        case events.Played():
            speaking.played(scene, event.utterance_id, event.heard)


def _thought(scene: Scene, event: events.Assessed | events.Composed) -> None:
    match event:
        case events.Assessed():
            replies.assessed(scene, event.number, event.assessment)
        case events.Composed():
            replies.composed(scene, event.number, event.text, event.first_token)


def _stored(scene: Scene, event: events.Committed | events.CommitFailed | events.LeaseGone) -> None:
    match event:
        case events.Committed():
            degrading.stored(scene, event.number)
        case events.CommitFailed():
            degrading.not_stored(scene)
        case events.LeaseGone():
            # Another process speaks for the session now: not a word more from here.
            if scene.state.floor is not None:
                scene.want(a.Hush(scene.state.floor.id))
            scene.set(finished=True)
            scene.want(a.Finish())


def _served(scene: Scene, event: events.Failed | events.Worked) -> None:
    if isinstance(event, events.Worked):
        degrading.worked(scene, event.service)
        if event.service == "asr" and scene.state.running(Timer.LOSS) is not None:
            turn_taking.wait_for_another(scene)
        return
    degrading.failed(scene, event.service, event.reason)
    floor, reply = scene.state.floor, scene.state.reply
    if event.service == "tts" and floor is not None and floor.started is None:
        scene.want(a.Hush(floor.id))
        speaking.show(scene)
    if event.service == "llm" and reply is not None and reply.composing:
        replies.fall_back(scene)


def _fired(scene: Scene, event: events.Fired) -> None:
    running = scene.state.running(event.timer)
    if running is None or running.number != event.number:
        return
    others = tuple(kept for kept in scene.state.timers if kept is not running)
    scene.set(timers=others)
    match event.timer:
        case Timer.SUSPICION:
            speaking.resume(scene)
        case Timer.LOSS | Timer.FINAL:
            turn_taking.nothing_in_time(scene)
        case Timer.LOOK_AGAIN:
            turn_taking.consider(scene)
        case Timer.HOLD:
            going_on.held_long_enough(scene)
        case Timer.REPLY:
            replies.overdue(scene)
        case Timer.SOUND:
            speaking.sound_overdue(scene)
        case Timer.QUIET:
            going_on.still_quiet(scene)
        case Timer.ORDERS:
            commanding.hurry(scene)
        case Timer.STORE:
            degrading.store_again(scene)
        case Timer.WATCHDOG:
            _look_after(scene)


# Who is there.


def _attended(scene: Scene, client: str | None, sent_away: str | None) -> None:
    """Keeps who sits there, and who does no longer."""
    if sent_away is not None:
        others = (name for name in scene.state.sent_away if name != sent_away)
        scene.set(sent_away=(*others, sent_away)[-CLIENTS_KEPT:])
    if sent_away is not None or client != scene.state.client:
        scene.set(client=client)
        scene.touch()


def _note(scene: Scene, client: str, number: int) -> None:
    """Keeps that a client's message of this number is taken."""
    before = next((said for said in scene.state.said if said.client == client), Said(client))
    others = (said for said in scene.state.said if said.client != client)
    scene.set(said=(*others, before.behind(number))[-CLIENTS_KEPT:])
    scene.touch()


def _joined(scene: Scene, output: AudioFormat | None, *, speaks: bool) -> None:
    changed = output != scene.state.output or scene.state.state is State.READY
    scene.set(present=True, speaks=speaks, output=output)
    if changed:
        scene.want(a.SetVoice(output))
        scene.set(prepared=())
    floor = scene.state.floor
    if changed and floor is not None:
        _say_anew(scene)
    else:
        speaking.somebody_listens(scene)
    if scene.state.state is State.READY and scene.script.settings.follow_ups:
        scene.want(a.WarmUp())
    if scene.state.state is State.PAUSED:
        commanding.resume(scene)
    if scene.state.speech.lost and scene.state.speech.under_way:
        if speaks:
            scene.start(Timer.LOSS, scene.script.pace.suspicion)
        else:
            turn_taking.nothing_in_time(scene)
    scene.want(a.OpenEars())


def _say_anew(scene: Scene) -> None:
    """What is being said is in a shape that nobody takes any more: it is said in the new one."""
    floor = scene.state.floor
    assert floor is not None  # noqa: S101 - callers have looked
    line, timings = floor.line, floor.timings
    told = floor.started is not None
    speaking.stop(scene)
    if told:
        speaking.say(scene, scene.script.again(line))
    else:
        speaking.say(scene, line, timings)


def _called(scene: Scene, event: events.Called) -> None:
    calls = scene.state.calls
    if event.number:
        newest = (*calls, Call(event.client, event.number))[-CALLS_KEPT:]
    else:
        newest = tuple(call for call in calls if call.client != event.client)
    scene.set(calls=newest)


def _restored(scene: Scene, *, died: bool) -> None:
    """What ran when the session was written runs no more; what was said of it is known.

    What was understood of speech that was under way is kept. Where its process died, or has handed
    it on, the candidate may be speaking: the client sends what nobody has acknowledged once more,
    which takes the place of what was understood, and until that is heard nothing is said.
    """
    # What was named after the last commit, and told, keeps its names.
    scene.set(counter=scene.state.counter + REBUILT_GAP)
    understood = scene.state.speech.under_way and turn_taking.leave(scene)
    replies.drop(scene)
    replies.forget(scene)
    state, commit = scene.state, scene.state.commit
    hold = state.hold if state.hold is not None and state.hold.until > scene.now else None
    awaited = (died or understood) and state.speaks and (hold is None or hold.spoke)
    scene.set(
        floor=None,
        hold=hold,
        timers=(),
        prepared=(),
        failing=(),
        storing=True,
        orders=(),
        obeyed=(),
        handed_on=False,
        present=False,
        output=None,
        speech=Speech(state.speech.number, under_way=awaited, lost=awaited),
        # Perhaps they were told, perhaps not: better twice than never.
        untold=tuple(replace(kept, commit=commit + 1) for kept in state.untold),
    )
    if scene.now - max(state.active_at, state.heard_at) > FORGOTTEN_SECONDS:
        scene.set_place(repeat=True)
    if hold is not None:
        holding.hold_on(scene, hold.until - scene.now)
    scene.touch()
    if state.state is State.REVIEWING:
        scene.want(a.Review())


# What else the candidate does.


def _typed(scene: Scene, text: str) -> None:
    state = scene.state.state
    if not text.strip() or state not in {State.LIVE, State.PAUSED}:
        return
    if scene.place.step.asks and not _shown(scene):
        # It was sent before the question was there, and answers nothing; the question comes.
        answers.aside(scene, answers.typed(scene, text))
        return
    scene.cancel(Timer.QUIET)
    speaking.stop(scene, read=True)
    if scene.state.speech.lost:
        turn_taking.salvage(scene)
    replies.hold_back(scene)
    scene.set(quiet=0)
    scene.set(speech=replace(scene.state.speech, worded=False))
    holding.release(scene)
    answers.settle(scene)
    if scene.place.step.asks:
        scene.set_place(asked=True, repeat=False)
    turn = answers.typed(scene, text)
    scene.set(superseded=turn)
    meant = understand(text, turn_taking.situation(scene, None, typed=True), final=True)
    if wishes.taken(scene, turn, meant) if scene.live else _wished(scene, turn, meant):
        return
    scene.withdraw()
    scene.set(skipping=False)
    answers.over(scene, turn)
    if scene.live and scene.place.step.asks:
        replies.release(scene, replies.turn_clock(scene, turn))


def _wished(scene: Scene, turn: Turn, meant: Intent) -> bool:
    """While paused: whether it is a wish. Only the end that was asked about comes at once."""
    if scene.state.ending and wishes.agreed(scene, turn.text):
        scene.withdraw()
        answers.aside(scene, turn)
        commanding.end(scene)
        return True
    return wishes.noted(scene, turn, meant)


def _shown(scene: Scene) -> bool:
    """Whether the candidate can have read the question, all of which is shown when it begins.

    Also where it was cut short, by a pause or a lost connection: what is shown stays there.
    """
    shown = scene.place.shown
    return scene.place.asked or (shown is not None and scene.now - shown >= READ_SECONDS)


def _set_patience(scene: Scene, patience: Patience) -> None:
    if scene.state.state.over:
        return
    scene.set(patience=patience)
    scene.want(a.ChangePatience(patience))
    scene.touch()
    held = scene.state.hold is not None
    scene.want(a.Listen(scene.script.pace.endpointing(patience, held=held)))


# The end of a step, and of the session.


def _reviewed(scene: Scene, event: events.Reviewed) -> None:
    if scene.state.state is not State.REVIEWING:
        return
    speaking.move(scene, State.COMPLETED if event.report is not None else State.FAILED)
    if event.report is not None:
        scene.tell_stored(ReportReady(event.report))


def _differ(before: SessionState, after: SessionState) -> bool:
    """Whether what may be said next can have changed."""
    return any(
        getattr(before, name) is not getattr(after, name)
        for name in ("place", "reply", "draft", "output", "failing", "state", "prepared")
    )


def _prepare_lines(scene: Scene) -> None:
    """Has made ready what may be said next."""
    lines = tuple(dict.fromkeys(_wanted_lines(scene)))
    if lines != scene.state.prepared:
        scene.set(prepared=lines)
        scene.want(a.Prepare(lines))


def _wanted_lines(scene: Scene) -> Sequence[Prepared]:
    state = scene.state
    if not state.voiced or state.state is not State.LIVE:
        return ()
    wanted = []
    if state.reply is not None and state.reply.line is not None:
        line = state.reply.line
        wanted.append(Prepared(line.text, line.step.phase, ahead=False))
    if state.draft is not None and state.draft.text is not None:
        wanted.append(Prepared(state.draft.text, Phase.FOLLOW_UP))
    return [*wanted, *scene.script.ahead(state.place)]


def _watch(scene: Scene, event: events.Happening) -> None:
    """A live session is looked after: what hangs in it is noticed."""
    if not _goes_by_itself(event):
        scene.set(active_at=scene.now)
    if scene.live and scene.state.running(Timer.WATCHDOG) is None:
        scene.start(Timer.WATCHDOG, scene.script.pace.watchdog)


def _goes_by_itself(event: events.Happening) -> bool:
    """Whether it happens over and over, also in a session that hangs."""
    match event:
        case events.Fired():
            return event.timer is Timer.WATCHDOG
        case events.Failed() | events.Worked() | events.Played() | events.Committed():
            return True
        case events.Called() | events.Stored():
            return True
        case _:
            return False


def _look_after(scene: Scene) -> None:
    idle = scene.now - scene.state.active_at
    if idle >= scene.script.pace.watchdog:
        scene.set(active_at=scene.now)
        going_on.shake(scene)


def _end(scene: Scene) -> None:
    """Finishes a session that is over once everything about it is stored and told."""
    state = scene.state
    ended = state.state.over and state.state is not State.REVIEWING
    if ended and not state.untold and not state.obeyed and not state.finished:
        scene.set(finished=True, timers=())
        scene.want(a.Finish())
