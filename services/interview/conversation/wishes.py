"""What the candidate wants of the conversation, said in the midst of it."""

from __future__ import annotations

import re

from services.interview.clients.seams import TurnEnded
from services.interview.conversation import answers, holding, replies, speaking
from services.interview.conversation.pace import DEFAULT_HOLD_SECONDS
from services.interview.conversation.progress import Step, after
from services.interview.conversation.scene import Scene
from services.interview.interviewer.deciding import Move
from services.interview.record import Phase
from services.interview.understanding.intent import Intent

CONFIRM_SECONDS = 15.0
"""How long an answer is waited for to the question whether the interview shall end."""
WISHES = frozenset({Intent.REPEAT, Intent.REPHRASE, Intent.HOLD, Intent.SKIP, Intent.END})
_YES = frozenset(
    ["yes", "yeah", "sure", "ok", "okay", "please", "好", "好的", "是", "是的", "可以"]
)


_END = frozenset(["stop", "end", "it", "here", "finish", "结束", "结束吧", "好的结束", "对"])
_ON = re.compile(
    r"(?:(?:no|nope|not|yet|sorry|oh|okay|ok|please|thanks|thank you|continue|go on|carry on"
    r"|keep going|stop|end|let's|let us|do not|don't|i|we|want to|would like to|can|should"
    r"|the interview|with|it) ?)+"
    r"|(?:不|不是|不用|不要|没有|别|还没|先|我|我们|想|要|请|了|吧|结束|继续|面试|好的?)+"
)
_GOES_ON = re.compile(r"\b(?:no|nope|not|continue|go on|carry on|keep going)\b|don't|不|没|别|继续")


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower().replace("’", "'")))


def agrees_to_end(scene: Scene, text: str) -> bool:
    """Whether it says yes to the question whether the interview shall end."""
    words = _plain(text).split()
    yes = bool(words) and words[0] in _YES and all(word in _YES | _END for word in words)
    return scene.state.ending and yes


def wants_to_go_on(scene: Scene, text: str) -> bool:
    """Whether it says no to that, and nothing else."""
    plain = _plain(text)
    found = _ON.fullmatch(plain) is not None and _GOES_ON.search(plain) is not None
    return scene.state.ending and found


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
    confirmed = scene.state.ending
    scene.set(ending=False)
    match meant:
        case Intent.REPEAT if place.line is not None:
            asks = place.step.asks
            line = scene.script.repeated(place.line) if asks else scene.script.again(place.line)
            speaking.say(scene, line)
        case Intent.REPHRASE if place.line is not None and place.step.asks:
            speaking.say(scene, scene.script.rephrased(place.line))
        case Intent.HOLD:
            holding.hold(scene, DEFAULT_HOLD_SECONDS)
        case Intent.END if not confirmed and place.step.phase is not Phase.CLOSING:
            # Who is misheard loses an answer, not the interview.
            holding.hold(scene, CONFIRM_SECONDS)
            scene.set(ending=True)
            speaking.say(scene, scene.script.aside(scene.script.end_question(), place))
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
