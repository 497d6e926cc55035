"""What the candidate wants of the conversation, said in the midst of it."""

from __future__ import annotations

from services.interview.clients.seams import TurnEnded
from services.interview.conversation import answers, holding, replies, speaking
from services.interview.conversation.pace import DEFAULT_HOLD_SECONDS
from services.interview.conversation.progress import Step, after
from services.interview.conversation.scene import Scene
from services.interview.interviewer.deciding import Move
from services.interview.record import Phase
from services.interview.understanding.intent import Intent

WISHES = frozenset({Intent.REPEAT, Intent.REPHRASE, Intent.HOLD, Intent.SKIP, Intent.END})
_YES = frozenset(
    ["yes", "yeah", "sure", "ok", "okay", "please", "好", "好的", "是", "是的", "可以"]
)


def agrees_to_skip(scene: Scene, text: str) -> bool:
    """Whether it says yes to the offer to skip the question."""
    words = text.lower().strip(" .!,。！").split()
    return scene.state.offered and bool(words) and all(word.strip(",.") in _YES for word in words)


def grant(scene: Scene, event: TurnEnded, meant: Intent) -> None:
    """Does what the candidate wants. What they said of it is no part of an answer."""
    answers.settle(scene)
    answers.aside(scene, event)
    replies.drop(scene)
    place = scene.place
    match meant:
        case Intent.REPEAT if place.line is not None:
            asks = place.step.asks
            line = scene.script.repeated(place.line) if asks else scene.script.again(place.line)
            speaking.say(scene, line)
        case Intent.REPHRASE if place.line is not None and place.step.asks:
            speaking.say(scene, scene.script.rephrased(place.line))
        case Intent.HOLD:
            holding.hold(scene, DEFAULT_HOLD_SECONDS)
        case Intent.END:
            speaking.say(scene, scene.script.line(Step(Phase.CLOSING, place.step.round)))
        case _ if place.step.phase is not Phase.CLOSING:
            skip(scene)
        case _:
            pass


def skip(scene: Scene) -> None:
    """On to the next question."""
    step = after(scene.place.step, Move.NEXT, scene.script.rounds)
    speaking.say(scene, scene.script.line(step))
