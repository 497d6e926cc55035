"""What the interviewer says next, prepared before the candidate has certainly finished.

A follow-up in the model's words is drafted while the candidate still speaks. It is what is said
when the answer ends soon after it; otherwise the model is asked again with the whole answer, and
the draft stands in when that takes too long; without one, the bank's own follow-up does.
"""

from __future__ import annotations

from dataclasses import replace

from services.interview.conversation import actions as a
from services.interview.conversation import answers, speaking
from services.interview.conversation.progress import after
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Draft, Line, Reply, Timer, TurnClock
from services.interview.events import TurnTimings
from services.interview.interviewer.assessing import Assessment
from services.interview.interviewer.deciding import Move, decide
from services.interview.interviewer.guarding import acceptable
from services.interview.record import Phase, Turn

DRAFT_WORDS = 12
"""An answer so far along says enough to ask about."""
FRESH_WORDS = 25
"""A draft is about what was just said for so many more words: some ten seconds of speech."""


def turn_clock(
    scene: Scene, turn: Turn, eager: float | None = None, final: float = 0.0
) -> TurnClock:
    """The clock of a turn whose text is final now, `final` seconds after its end."""
    return TurnClock(turn.id, turn.end, eager, scene.now - final, scene.now)


def _timings(reply: Reply, clock: TurnClock) -> TurnTimings:
    """The parts of a turn from the end of speech on; what was ready before counts as 0."""

    def since(moment: float | None) -> float | None:
        return None if moment is None else max(0.0, moment - clock.speech_end)

    return TurnTimings(
        turn_id=clock.turn_id,
        speech_end=clock.speech_end,
        eager_end_of_turn=since(clock.eager),
        end_of_turn=since(clock.decided),
        asr_final=since(clock.final),
        llm_first_token=since(reply.first_token),
        first_phrase=since(reply.first_phrase),
        prepared_eagerly=reply.eager,
    )


# Drafts.


def may_follow_up(scene: Scene) -> bool:
    """Whether a follow-up may come next, written by the model."""
    step = scene.place.step
    room = step.follow_up < scene.script.settings.follow_ups
    return step.asks and room and "llm" not in scene.state.failing


def overhear(scene: Scene, answer: str) -> None:
    """Has a question drafted to an answer that is not over, when there is enough of it."""
    draft = scene.state.draft
    said = len(answer.split())
    if draft is not None and draft.step == scene.place.step:
        fresh = said - len(draft.answer.split()) < FRESH_WORDS
        if draft.working or fresh:
            return
    if said < DRAFT_WORDS or not may_follow_up(scene):
        return
    forget(scene)
    number = scene.number()
    scene.set(draft=Draft(number, scene.place.step, answer))
    assessment = scene.script.middling(scene.place, answer)
    scene.want(_compose(scene, number, answer, assessment))


def _compose(scene: Scene, number: int, answer: str, known: Assessment) -> a.Compose:
    return a.Compose(number, scene.script.context(scene.place, answer, known))


def forget(scene: Scene) -> None:
    """Throws the draft away."""
    if scene.state.draft is not None:
        scene.want(a.Discard(scene.state.draft.number))
        scene.set(draft=None)


def _drafted(scene: Scene, answer: str) -> Draft | None:
    draft = scene.state.draft
    if draft is None or draft.step != scene.place.step or draft.text is None:
        return None
    # The text it was made from may have been corrected since.
    return draft if acceptable(draft.text, answer=answer, asked=scene.place.said) else None


def _fresh(draft: Draft, answer: str) -> bool:
    return len(answer.split()) - len(draft.answer.split()) <= FRESH_WORDS


# The reply.


def prepare(scene: Scene, answer: str, *, eager: bool) -> None:
    """Begins a reply to `answer`, in the place of another."""
    drop(scene)
    number = scene.number()
    scene.set(reply=Reply(number, answer, eager))
    asked = scene.script.asked(scene.place).text
    scene.want(a.Assess(number, scene.place.step.round, answer, asked))


def drop(scene: Scene) -> None:
    """Throws the reply away without trace."""
    if scene.state.reply is not None:
        scene.want(a.Discard(scene.state.reply.number))
        scene.set(reply=None)
    scene.cancel(Timer.REPLY)


def assessed(scene: Scene, number: int, assessment: Assessment | None) -> None:
    """What the answer says is known: what comes next is decided."""
    reply = scene.state.reply
    if reply is None or reply.number != number or reply.line is not None or reply.composing:
        return
    place = scene.place
    known = assessment or scene.script.middling(place, reply.answer)
    scene.set_place(level=known.level)
    course = scene.script.course(scene.place)
    step = after(place.step, decide(course, known), scene.script.rounds)
    if step.phase is not Phase.FOLLOW_UP:
        question = scene.script.fitting(step, course) if step.asks else None
        said = answers.answered(scene, reply.answer)
        line = scene.script.line(step, question=question, assessment=assessment, answered=said)
        _settle_on(scene, line)
        return
    draft = _drafted(scene, reply.answer)
    if draft is not None and _fresh(draft, reply.answer):
        _use(scene, draft)
    elif not may_follow_up(scene) or assessment is None:
        _settle_on_the_bank(scene, known)
    else:
        scene.set(reply=replace(reply, composing=True))
        scene.want(_compose(scene, number, reply.answer, known))


def composed(scene: Scene, number: int, text: str | None, first_token: float | None) -> None:
    """The model has written a question, or none that may be asked."""
    draft, reply = scene.state.draft, scene.state.reply
    if draft is not None and draft.number == number:
        scene.set(draft=replace(draft, text=text, first_token=first_token, working=False))
    elif reply is not None and reply.number == number and reply.line is None:
        if text is not None:
            _settle_on_follow_up(scene, text, first_token)
        else:
            fall_back(scene)


def fall_back(scene: Scene) -> None:
    """The reply can't wait any longer: the draft is taken, or the bank's follow-up."""
    reply = scene.state.reply
    if reply is None or reply.line is not None:
        return
    if not reply.composing:
        assessed(scene, reply.number, None)
        return
    scene.want(a.Discard(reply.number))
    draft = _drafted(scene, reply.answer)
    if draft is not None:
        _use(scene, draft)
    else:
        _settle_on_the_bank(scene, None)


def overdue(scene: Scene) -> None:
    """The reply has had its time."""
    reply = scene.state.reply
    if reply is not None and reply.composing and reply.line is None:
        # Slow, or hanging: the next answer does not have to find out.
        scene.want(a.Probe("llm"))
    fall_back(scene)


def _use(scene: Scene, draft: Draft) -> None:
    assert draft.text is not None  # noqa: S101 - `_drafted` has looked
    _settle_on_follow_up(scene, draft.text, draft.first_token)


def _settle_on_the_bank(scene: Scene, known: Assessment | None) -> None:
    reply = scene.state.reply
    assert reply is not None  # noqa: S101 - it is being prepared
    _settle_on_follow_up(scene, scene.script.bank_follow_up(scene.place, reply.answer, known), None)


def _settle_on_follow_up(scene: Scene, text: str, first_token: float | None) -> None:
    step = after(scene.place.step, Move.FOLLOW_UP, scene.script.rounds)
    _settle_on(scene, scene.script.line(step, text), first_token)


def _settle_on(scene: Scene, line: Line, first_token: float | None = None) -> None:
    reply = scene.state.reply
    assert reply is not None  # noqa: S101 - it is being prepared
    scene.set(reply=replace(reply, line=line, first_token=first_token, first_phrase=scene.now))


def release(scene: Scene, clock: TurnClock) -> None:
    """The candidate has finished: the reply is said as soon as it is there."""
    answer = scene.place.answer.whole()
    reply = scene.state.reply
    if reply is None or reply.answer != answer:
        prepare(scene, answer, eager=False)
        reply = scene.state.reply
        assert reply is not None  # noqa: S101 - just prepared
    scene.set(reply=replace(reply, released=clock))
    if reply.line is None:
        scene.start(Timer.REPLY, scene.script.pace.patience)


def hold_back(scene: Scene) -> None:
    """The candidate goes on after all: the reply is kept for a turn that ends as it was."""
    if scene.state.reply is not None:
        scene.set(reply=replace(scene.state.reply, released=None))
        scene.cancel(Timer.REPLY)


def say_if_due(scene: Scene) -> None:
    """Says the reply, if it is there, may be said, and the candidate does not go on."""
    reply, state = scene.state.reply, scene.state
    if reply is None or reply.line is None or reply.released is None:
        return
    if state.floor is not None or state.speech.worded or not (scene.live and state.storing):
        return
    scene.cancel(Timer.REPLY)
    if state.draft is not None:
        scene.want(a.Discard(state.draft.number))
    scene.set(reply=None, draft=None)
    speaking.say(scene, reply.line, _timings(reply, reply.released))
