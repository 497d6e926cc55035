"""What the candidate wants of the conversation, said in the midst of it."""

from __future__ import annotations

from services.interview.conversation import answers, holding, replies, speaking
from services.interview.conversation.pace import DEFAULT_HOLD_SECONDS
from services.interview.conversation.progress import Step, after
from services.interview.conversation.scene import Scene
from services.interview.interviewer.deciding import Move
from services.interview.interviewer.declining import declined
from services.interview.interviewer.words import count
from services.interview.record import Phase, Turn
from services.interview.understanding.addressing import addresses
from services.interview.understanding.consent import (
    END,
    SKIP,
    THAT_WAS_IT,
    consent,
    doubtful,
    hums,
)
from services.interview.understanding.intent import Intent

CONFIRM_SECONDS = 15.0
"""How long an answer is waited for to the question whether the interview shall end."""
WISHES = frozenset({Intent.REPEAT, Intent.REPHRASE, Intent.HOLD, Intent.SKIP, Intent.END})
SHORT_WORDS = 9
"""So little said to the question whether the interview shall end has it asked once more."""


def agreed(scene: Scene, text: str) -> bool | None:
    """Whether it says yes or no to what was offered; None if neither, or nothing was."""
    state = scene.state
    if state.ending:
        return consent(text, END)
    if state.doubted is not None:
        return consent(text, THAT_WAS_IT)
    return consent(text, SKIP) if state.offered else None


def taken(scene: Scene, turn: Turn, meant: Intent) -> bool:
    """Does what the candidate wants, if the turn is a wish; whether it is.

    Args:
        scene: The session.
        turn: What was said or typed.
        meant: What it means by itself.
    """
    answer = agreed(scene, turn.text)
    if _settles(scene, turn, meant, answer=answer):
        return True
    meant = _replied(scene, meant, answer=answer)
    if meant in WISHES:
        _grant(scene, turn, meant)
        return True
    if meant is Intent.SPEECH and _dubious(scene, turn.text):
        _apart(scene, turn)
        _wonder(scene, turn)
        return True
    return False


def _settles(scene: Scene, turn: Turn, meant: Intent, *, answer: bool | None) -> bool:
    """Takes a reply to what stands between the candidate and the question; whether it is one."""
    state = scene.state
    if state.ending and answer:
        _close(scene, turn)
    elif state.ending and answer is None and _unclear(scene, turn, meant):
        _apart(scene, turn)
        _ask_whether_to_end(scene, again=True)
    elif state.offered and answer is None and _open(scene, turn, meant):
        _apart(scene, turn)
        offer_to_skip(scene, again=True)
    elif state.doubted is not None and answer and meant not in WISHES:
        _apart(scene, turn)
        scene.withdraw()
        answers.take_up(scene, state.doubted)
    else:
        return False
    return True


def _replied(scene: Scene, meant: Intent, *, answer: bool | None) -> Intent:
    """What is wanted by an answer to what was offered, or else by what was said itself."""
    if scene.state.ending and answer is False and meant not in WISHES - {Intent.END}:
        return Intent.REPEAT
    if scene.state.doubted is not None and answer is False and meant not in WISHES:
        return Intent.REPEAT
    if scene.state.offered and answer is not None:
        return Intent.SKIP if answer else Intent.HOLD
    return meant


def _unclear(scene: Scene, turn: Turn, meant: Intent) -> bool:
    """Whether to ask once more if the interview shall end: nothing but a clear yes ends it."""
    if meant is Intent.END:
        return True
    says = meant is Intent.SPEECH or turn.typed
    little = (says and meant not in WISHES and _short(turn.text)) or hums(turn.text)
    return little and not scene.state.pressed


def _open(scene: Scene, turn: Turn, meant: Intent) -> bool:
    """Whether to offer once more to skip: "Not really." may answer the offer or the question."""
    if scene.state.pressed or meant in WISHES - {Intent.REPEAT}:
        return False
    says = meant in {Intent.SPEECH, Intent.REPEAT} or turn.typed
    return says and doubtful(turn.text, SKIP)


def _short(text: str) -> bool:
    return count(text) <= SHORT_WORDS


def _apart(scene: Scene, turn: Turn) -> None:
    """What was said of a wish is no part of an answer, and is said to what still sounds."""
    speaking.stop(scene)
    answers.settle(scene)
    answers.aside(scene, turn)
    replies.drop(scene)


def _ask_whether_to_end(scene: Scene, *, again: bool) -> None:
    """Who is misheard loses an answer, not the interview."""
    holding.hold(scene, CONFIRM_SECONDS)
    scene.withdraw()
    scene.set(ending=True, pressed=again)
    question = scene.script.end_question(again=again)
    speaking.say(scene, scene.script.aside(question, scene.place, answered=True))


def offer_to_skip(scene: Scene, *, again: bool = False) -> None:
    """Who has said nothing for long, or nothing clear to that, is asked if they want to go on."""
    scene.withdraw()
    scene.set(offered=True, pressed=again)
    offer = scene.script.aside(scene.script.skip_offer(), scene.place, answered=True)
    speaking.say(scene, offer)


def _dubious(scene: Scene, text: str) -> bool:
    """Whether what would be the answer seems to be said to the interviewer; asked once at most."""
    state, place = scene.state, scene.place
    if state.ending or state.offered or state.doubted is not None or place.wondered:
        return False
    if not (place.step.asks and place.asked) or place.answer.last is not None or scene.script.talks:
        return False
    asked, about = scene.script.asked(place), scene.script.about(place)
    return addresses(text, asked, about) and not declined(text, about)


def _wonder(scene: Scene, turn: Turn) -> None:
    """Who was not understood is not scored for it."""
    scene.withdraw()
    scene.set(doubted=turn)
    scene.set_place(wondered=True)
    speaking.say(scene, scene.script.aside(scene.script.wonder(), scene.place, answered=True))


def _close(scene: Scene, turn: Turn) -> None:
    _apart(scene, turn)
    scene.withdraw()
    step = Step(Phase.CLOSING, scene.place.step.round)
    speaking.say(scene, scene.script.line(step, answered=scene.state.answered))


def _grant(scene: Scene, turn: Turn, meant: Intent) -> None:
    if meant is Intent.END and scene.place.step.phase is Phase.CLOSING:
        _close(scene, turn)
        return
    _apart(scene, turn)
    place = scene.place
    scene.withdraw()
    match meant:
        case Intent.REPEAT if place.line is not None:
            asks = place.step.asks
            line = scene.script.repeated(place.line) if asks else scene.script.again(place.line)
            speaking.say(scene, line)
        case Intent.REPHRASE if place.rephrased and place.step.asks:
            offer_to_skip(scene)
        case Intent.REPHRASE if place.line is not None and place.step.asks:
            scene.set_place(rephrased=True)
            speaking.say(scene, scene.script.rephrased(place.line))
        case Intent.HOLD:
            _give_time(scene)
        case Intent.END:
            _ask_whether_to_end(scene, again=False)
        case _ if place.step.phase is not Phase.CLOSING:
            skip(scene)
        case _:
            pass


def _give_time(scene: Scene) -> None:
    """Who speaks hears it by the silence; who writes sees that they were understood."""
    holding.hold(scene, DEFAULT_HOLD_SECONDS)
    if not scene.state.speaks:
        given = scene.script.aside(scene.script.time_given(), scene.place, answered=True)
        speaking.say(scene, given)


def skip(scene: Scene) -> None:
    """On to the next question."""
    step = after(scene.place.step, Move.NEXT, scene.script.rounds)
    speaking.say(scene, scene.script.line(step, answered=scene.state.answered))


def noted(scene: Scene, turn: Turn, meant: Intent) -> bool:
    """Notes what is wanted while the interview is paused; whether the turn is a wish.

    To ask again, and for time, there is nothing to note: after a pause the question is repeated.
    """
    state, answer = scene.state, agreed(scene, turn.text)
    if state.ending and answer is None and _unclear(scene, turn, meant):
        meant = Intent.END
    else:
        meant = _replied(scene, meant, answer=answer)
    if meant not in WISHES:
        return False
    _apart(scene, turn)
    scene.withdraw()
    scene.set(ending=meant is Intent.END, skipping=meant is Intent.SKIP)
    scene.set_place(repeat=True)
    return True


def granted(scene: Scene) -> bool:
    """Does after a pause what was wanted in it; whether it was anything.

    Whoever was being asked if the interview shall end is asked that, and not the question: their
    "yes" may be on its way.
    """
    state = scene.state
    if scene.place.step.phase is Phase.CLOSING or not (state.ending or state.skipping):
        return False
    scene.set_place(repeat=False)
    scene.set(skipping=False)
    if state.skipping:
        skip(scene)
    else:
        _ask_whether_to_end(scene, again=state.pressed)
    return True
