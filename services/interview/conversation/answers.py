"""What the candidate has said, turn by turn. A turn that is over may yet go on."""

from __future__ import annotations

from dataclasses import replace

from services.interview.clients.seams import TurnEnded
from services.interview.conversation import actions as a
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Salvage
from services.interview.events import CandidateTurn, CandidateTurnReopened
from services.interview.record import Speaker, Turn
from services.interview.understanding.intent import Intent, Situation, understand

REHEARD_SECONDS = 0.2
"""Speech that begins so long before the end of what was salvaged is that, heard again."""


def reopen(scene: Scene) -> None:
    """The candidate goes on: the last spoken turn, if there is one, is taken back."""
    answer = scene.place.answer
    if answer.turns and not answer.turns[-1].typed and not answer.reopened:
        scene.set_place(answer=replace(answer, reopened=True))
        scene.tell_stored(CandidateTurnReopened(answer.turns[-1].id))


def spoken(scene: Scene, event: TurnEnded) -> Turn:
    """The turn a stretch of speech belongs to, whole."""
    place = scene.place
    turn = _turn(scene, event, place.step.asked_round, _question_id(scene))
    answer, salvage = place.answer, scene.state.salvage
    before = answer.held or (answer.turns[-1] if answer.reopened else None)
    if before is None:
        return turn
    if salvage is None or salvage.turn_id != before.id or not _again(event, salvage):
        return _joined(before, turn)
    again = replace(turn, id=before.id)
    if salvage.before is not None:
        again = _joined(salvage.before, turn)
    # Where a pause ends it before all of it was heard again, the rest comes behind this.
    scene.set(salvage=replace(salvage, before=again, start=event.end))
    return again


def _turn(scene: Scene, event: TurnEnded, asked_round: int = 0, question_id: str = "") -> Turn:
    """A stretch of speech as a turn of its own."""
    return Turn(
        id=scene.name(),
        speaker=Speaker.CANDIDATE,
        text=event.text.strip(),
        start=event.start,
        end=event.end,
        words=event.words,
        round=asked_round,
        question_id=question_id,
    )


def _joined(before: Turn, turn: Turn) -> Turn:
    return replace(
        before,
        text=f"{before.text} {turn.text}",
        end=turn.end,
        words=before.words + turn.words,
    )


def known_already(scene: Scene, event: TurnEnded) -> bool:
    """Whether it was salvaged before, and what it belongs to can't be changed any more."""
    salvage = scene.state.salvage
    if salvage is None or not _again(event, salvage):
        return False
    return not any(turn.id == salvage.turn_id for turn in scene.place.answer.turns)


def _again(event: TurnEnded, salvage: Salvage) -> bool:
    same = abs(event.start - salvage.start) < REHEARD_SECONDS
    return same or event.start < salvage.until - REHEARD_SECONDS


def typed(scene: Scene, text: str) -> Turn:
    """A typed turn."""
    return Turn(
        id=scene.name(),
        speaker=Speaker.CANDIDATE,
        text=text.strip(),
        start=scene.now,
        end=scene.now,
        round=scene.place.step.asked_round,
        question_id=_question_id(scene),
        typed=True,
    )


def _question_id(scene: Scene) -> str:
    question = scene.script.question(scene.place.step)
    return "" if question is None else question.id


def hold(scene: Scene, turn: Turn) -> None:
    """The turn stays open although there is silence; what there is of it is stored."""
    scene.set_place(answer=replace(scene.place.answer, held=turn))
    scene.touch()


def over(scene: Scene, turn: Turn) -> None:
    """The turn is over: it is kept, and told."""
    answer = scene.place.answer
    if answer.reopened and turn.id == answer.turns[-1].id:
        turns = (*answer.turns[:-1], turn)
    elif scene.place.step.asks:
        turns = (*answer.turns, turn)
    else:
        turns = answer.turns
    scene.set_place(answer=replace(answer, turns=turns, reopened=False, held=None))
    scene.set(answered=answered(scene, turn.text) if turn.round > 0 else scene.state.answered)
    scene.keep(turn)
    scene.tell_stored(CandidateTurn(turn))


def answered(scene: Scene, text: str) -> bool:
    """Whether any question is answered once this is: who only asks to go on answers none.

    They do not either where that could answer, as 跳过 could to 有没有.
    """
    unasked = Situation(scene.script.settings.language, None, typed=True)
    goes_on = understand(text, unasked, final=True) is Intent.SKIP
    return scene.state.answered or not goes_on


def apart(scene: Scene, event: TurnEnded) -> Turn:
    """A stretch of speech as a turn that answers nothing."""
    return _turn(scene, event)


def aside(scene: Scene, turn: Turn) -> None:
    """Something was said that answers nothing: it is kept apart from the answer."""
    turn = replace(turn, round=0, question_id="")
    scene.keep(turn)
    scene.tell_stored(CandidateTurn(turn))


def take_up(scene: Scene, turn: Turn) -> None:
    """What was kept apart is the answer after all."""
    asked_round, question_id = scene.place.step.asked_round, _question_id(scene)
    scene.tell_stored(CandidateTurnReopened(turn.id))
    over(scene, replace(turn, round=asked_round, question_id=question_id))


def superseded(scene: Scene, start: float) -> bool:
    """Whether speech that began then is of before an answer that was typed."""
    turn = scene.state.superseded
    return turn is not None and start < turn.start


def before_typed(scene: Scene, event: TurnEnded) -> None:
    """What was said before the typed answer belongs to its question, and is replied to with it."""
    typed, salvage = scene.state.superseded, scene.state.salvage
    if typed is None:
        return
    turn = _turn(scene, event, typed.round, typed.question_id)
    if salvage is not None and _again(event, salvage):
        turn = replace(turn, id=salvage.turn_id)
        if salvage.before is not None:
            turn = _joined(salvage.before, turn)
        scene.tell_stored(CandidateTurnReopened(turn.id))
    scene.set(answered=scene.state.answered or turn.round > 0)
    scene.keep(turn)
    if typed.round and typed.round != scene.place.step.round:
        scene.want(a.Score(typed.round))
    scene.tell_stored(CandidateTurn(turn))


def settle(scene: Scene) -> None:
    """Nothing more came: what is unfinished is over as it is."""
    answer = scene.place.answer
    if answer.held is not None:
        over(scene, answer.held)
    elif answer.reopened:
        over(scene, answer.turns[-1])
