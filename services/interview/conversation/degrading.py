"""Which servers fail now: each change is told once, with what to do meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from services.interview.clients.seams import ServiceName
from services.interview.conversation import actions as a
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Timer
from services.interview.events import CandidateTurn, Remedy, ServiceDegraded
from services.interview.interviewer.personas import primary

STORE = "store"
FIRST_STORE_SECONDS = 0.5
LAST_STORE_SECONDS = 3.0
"""Between attempts to store, doubling from the first to the last."""

_REMEDIES: Mapping[str, Remedy] = {
    "tts": Remedy.READ_TEXT,
    "asr": Remedy.TYPE_ANSWERS,
    "llm": Remedy.CARRY_ON,
    "embed": Remedy.CARRY_ON,
    STORE: Remedy.NONE,
}
_ADVICE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "tts": "The interviewer's voice is not available; please read the text.",
        "asr": "Speech is not understood at the moment; please type.",
        "llm": "Follow-up questions come from the question bank.",
        "embed": "Answers are compared word by word for the moment.",
        STORE: "The interview can't be stored at the moment and waits; nothing you said is lost.",
    },
    "zh": {
        "tts": "面试官暂时无法发声，请看屏幕上的文字。",
        "asr": "暂时听不到您说的话，请打字回答。",
        "llm": "追问暂时来自题库。",
        "embed": "回答暂时按字词比较。",
        STORE: "面试内容暂时无法保存，正在等待；您说过的话不会丢失。",
    },
}
_BACK: Mapping[str, Mapping[str, str]] = {
    "en": {
        "tts": "The interviewer's voice is back.",
        "asr": "Speech is understood again.",
        "llm": "Follow-up questions are made to measure again.",
        "embed": "Answers are compared by meaning again.",
        STORE: "The interview is stored again and goes on.",
    },
    "zh": {
        "tts": "面试官又可以发声了。",
        "asr": "又能听到您说话了。",
        "llm": "又可以根据回答追问了。",
        "embed": "又可以按意思比较回答了。",
        STORE: "面试内容又可以保存了，面试继续。",
    },
}


def advice(service: str, language: str) -> str:
    """What a candidate is told of a server that fails."""
    return _ADVICE.get(primary(language), _ADVICE["en"])[service]


def returned(service: str, language: str) -> str:
    """What a candidate is told of a server that works again."""
    return _BACK.get(primary(language), _BACK["en"])[service]


def failed(scene: Scene, service: ServiceName, reason: str) -> None:
    """A server could not be used: it is not waited for until it works again."""
    if service in scene.state.failing:
        return
    _tell(scene, service)
    # Recognition is tried all the time, by the microphone itself.
    if service != "asr":
        scene.want(a.Probe(service))


def worked(scene: Scene, service: ServiceName) -> None:
    """A server did what it was asked."""
    if service in scene.state.failing:
        _take_back(scene, service)


def _tell(scene: Scene, service: str) -> None:
    scene.set(failing=(*scene.state.failing, service))
    message = advice(service, scene.script.settings.language)
    remedy = _REMEDIES[service]
    scene.tell(ServiceDegraded(service, recovered=False, message=message, remedy=remedy))


def _take_back(scene: Scene, service: str) -> None:
    scene.set(failing=tuple(name for name in scene.state.failing if name != service))
    message = returned(service, scene.script.settings.language)
    scene.tell(ServiceDegraded(service, recovered=True, message=message, remedy=Remedy.NONE))


# Storing.


def not_stored(scene: Scene) -> None:
    """The store fails: nothing new is begun until what happened so far is stored."""
    if STORE not in scene.state.failing:
        _tell(scene, STORE)
    attempts = scene.state.store_attempts
    seconds = min(LAST_STORE_SECONDS, FIRST_STORE_SECONDS * 2**attempts)
    scene.set(storing=False, store_attempts=min(attempts + 1, 8))
    scene.start(Timer.STORE, seconds)
    _report_orders(scene, scene.state.commit, stored=False)


def store_again(scene: Scene) -> None:
    """Another attempt."""
    scene.want(a.Commit(scene.state.commit))


def stored(scene: Scene, number: int) -> None:
    """Everything up to this commit is stored: what waited for it is told."""
    state = scene.state
    due = [kept for kept in state.untold if kept.commit <= number]
    scene.set(
        committed=max(state.committed, number),
        untold=tuple(kept for kept in state.untold if kept.commit > number),
        storing=True,
        store_attempts=0,
    )
    scene.cancel(Timer.STORE)
    if not state.storing and state.commit > number:
        # It came about while nothing new was begun, and this attempt was under way without it.
        scene.want(a.Commit(state.commit))
    if STORE in state.failing:
        _take_back(scene, STORE)
    for kept in due:
        scene.tell(kept.event)
    if any(isinstance(kept.event, CandidateTurn) for kept in due):
        scene.want(a.Acknowledge())
    _report_orders(scene, number, stored=True)


def _report_orders(scene: Scene, number: int, *, stored: bool) -> None:
    """Who has ordered something waits no longer, whether or not it could be stored."""
    for kept in scene.state.obeyed:
        if kept.commit <= number:
            scene.want(a.Obey(kept.order, stored))
    scene.set(obeyed=tuple(kept for kept in scene.state.obeyed if kept.commit > number))
