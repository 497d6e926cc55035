"""Whose turn it is: the candidate's speech, its pauses and its end, also over the interviewer."""

from __future__ import annotations

from dataclasses import replace

from services.interview.clients.seams import (
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    SpeechEvent,
    SpeechLost,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import actions as a
from services.interview.conversation import answers, holding, replies, speaking, wishes
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import (
    Kind,
    Salvage,
    Silence,
    Speech,
    Timer,
    Utterance,
)
from services.interview.endpointing.deciding import Decision, Pause, decide
from services.interview.endpointing.wording import read
from services.interview.events import CandidatePartial, CandidateSpeechStarted
from services.interview.interviewer.declining import declined
from services.interview.record import State
from services.interview.understanding.intent import Intent, Situation, understand

LISTENING = frozenset({Intent.NOISE, Intent.BACK_CHANNEL, Intent.ECHO})
"""What does not interrupt."""
OVER_LINE_SECONDS = 0.5
"""A pause in speech over the interviewer after which its words are asked for, to judge them."""
COMMANDS = wishes.WISHES - {Intent.HOLD}
COMMAND_SECONDS = 0.7
"""A pause after a command, or a refusal to answer, that ends the turn: no answer goes on."""
WORDLESS_SECONDS = 1.2
"""A pause in speech that has shown no words after which they are asked for."""
LOST_SECONDS = 3.0
"""Speech as long as this without a word was something that the recogniser could not make out."""
SHORTEST_LOOK_SECONDS = 0.02


def heard(scene: Scene, event: SpeechEvent) -> None:
    """The recogniser heard something."""
    if not scene.live:
        _heard_late(scene, event)
        return
    match event:
        case SpeechBegan():
            _began(scene, event)
        case PartialHeard():
            _partial(scene, event)
        case ProbablyEnded():
            _probably_ended(scene, event)
        case PauseHeard():
            _paused(scene, event)
        case WentOn():
            _went_on(scene, event)
        case TurnEnded():
            _ended(scene, event)
        case SpeechLost():
            _lose(scene)
            wait_for_another(scene)


def _heard_late(scene: Scene, event: SpeechEvent) -> None:
    """What was under way at the pause is kept, and replied to when we go on."""
    if scene.state.state is not State.PAUSED:
        return
    match event:
        case SpeechBegan():
            _begin(scene, event)
        case SpeechLost():
            _lose(scene)
        case TurnEnded() if scene.state.speech.under_way:
            _close(scene)
            if answers.superseded(scene, event.start):
                _take_before(scene, event)
            elif understand(event.text, situation(scene, None), final=True) not in LISTENING:
                if scene.place.step.asks:
                    answers.reopen(scene)
                answers.over(scene, answers.spoken(scene, event))


# The running speech.


def _change(scene: Scene, **changes: object) -> None:
    scene.set(speech=replace(scene.state.speech, **changes))  # type: ignore[arg-type]


def _begin(scene: Scene, event: SpeechBegan) -> bool:
    """A stretch begins; False if it is the one that was lost, heard again."""
    speech = scene.state.speech
    number = speech.number + 1
    scene.cancel(Timer.LOSS)
    if speech.lost:
        heard = replace(speech, number=number, under_way=True, lost=False, worded=False)
        if not speech.text:
            heard = replace(heard, start=event.start, end=event.start)
        scene.set(speech=heard)
        return False
    scene.set(speech=Speech(number, under_way=True, start=event.start, end=event.start))
    return True


def _lose(scene: Scene) -> None:
    _rest(scene)
    _change(scene, lost=True, worded=False, eager_at=None, silence=None, finalizing=False)


def wait_for_another(scene: Scene) -> None:
    """The next stream hears the lost speech again: what had words is worth waiting for."""
    speech, floor = scene.state.speech, scene.state.floor
    meant = understand(speech.text, situation(scene, floor), final=True)
    pace = scene.script.pace
    answers_something = floor is None and meant not in LISTENING
    scene.start(Timer.LOSS, pace.loss if answers_something else pace.suspicion)


def _close(scene: Scene) -> float | None:
    """The stretch's final text has come, or will not; when it had probably ended."""
    speech = scene.state.speech
    scene.set(speech=Speech(number=speech.number))
    _rest(scene)
    scene.cancel(Timer.LOSS)
    return speech.eager_at


def _rest(scene: Scene) -> None:
    scene.cancel(Timer.LOOK_AGAIN)
    scene.cancel(Timer.FINAL)


def _began(scene: Scene, event: SpeechBegan) -> None:
    if answers.superseded(scene, event.start):
        _begin(scene, event)
        return
    if _begin(scene, event):
        if scene.state.hold is not None:
            scene.set(hold=replace(scene.state.hold, spoke=True))
        scene.tell(CandidateSpeechStarted(event.start))
    scene.cancel(Timer.QUIET)
    floor = scene.state.floor
    if floor is not None and floor.line.kind is not Kind.ASIDE:
        speaking.suspend(scene)
        scene.start(Timer.SUSPICION, scene.script.pace.suspicion)


def _partial(scene: Scene, event: PartialHeard) -> None:
    scene.tell(CandidatePartial(event.stable, event.unstable))
    text = event.stable + event.unstable
    if not text.strip():
        return
    if not scene.state.speech.under_way:
        # Its end was waited for in vain, and it goes on.
        _begin(scene, SpeechBegan(scene.now))
    _change(scene, text=text, end=scene.now)
    if _superseded(scene):
        return
    _worded(scene, text)
    if scene.state.floor is None and scene.place.step.asks:
        replies.overhear(scene, scene.place.answer.whole(text))
    if scene.state.speech.silence is not None:
        consider(scene)


def _superseded(scene: Scene) -> bool:
    """Whether the running speech began before the last typed answer: it changes nothing now."""
    return answers.superseded(scene, scene.state.speech.start)


def _worded(scene: Scene, text: str) -> None:
    """Words were heard: they stop the interviewer, or go on with the answer."""
    _change(scene, worded=True)
    scene.set(quiet=0)
    hold = scene.state.hold
    if hold is not None and hold.spoke:
        holding.release(scene)
    if not _interrupts(scene, text, final=False):
        return
    if not speaking.stop(scene, takes_back=True):
        speaking.take_back(scene)
    replies.hold_back(scene)
    if scene.place.step.asks:
        answers.reopen(scene)


def _interrupts(scene: Scene, text: str, *, final: bool) -> bool:
    """Whether the words end what the interviewer is saying; they do where that is nothing."""
    floor = scene.state.floor
    if floor is None or not floor.interruptible:
        return True
    return understand(text, situation(scene, floor), final=final) not in LISTENING


def situation(scene: Scene, floor: Utterance | None, *, typed: bool = False) -> Situation:
    """What the candidate's words are said, or typed, to."""
    language = scene.script.settings.language
    question = scene.script.asked(scene.place) if scene.place.step.asks else None
    if floor is None or not floor.interruptible:
        return Situation(language, None, asked=question, typed=typed)
    text = speaking.heard_of(scene, floor)
    asked = scene.place.asked or speaking.content_heard(floor.line, text)
    return Situation(language, floor.line.text, text, asked, question)


def _probably_ended(scene: Scene, event: ProbablyEnded) -> None:
    if not event.text.strip():
        return
    if not scene.state.speech.under_way:
        _begin(scene, SpeechBegan(event.start))
    _change(scene, eager_at=scene.now)
    _change(scene, text=event.text, words=event.words, start=event.start, end=event.end)
    if not _superseded(scene):
        _worded(scene, event.text)
        if scene.state.floor is None and scene.place.step.asks and scene.state.hold is None:
            replies.prepare(scene, scene.place.answer.whole(event.text), eager=True)
    if scene.state.speech.silence is None:
        since = scene.now - scene.script.pace.min_silence
        _change(scene, silence=Silence(since, event.end))
    consider(scene)


def _went_on(scene: Scene, event: WentOn) -> None:
    speech = scene.state.speech
    if speech.silence is not None:
        inner = max(0.0, event.start - speech.silence.end)
        scene.set(pace=scene.state.pace.observe(inner))
    _change(scene, eager_at=None, silence=None, finalizing=False)
    _rest(scene)
    reply = scene.state.reply
    if reply is not None and reply.released is None:
        replies.drop(scene)
    holding.release(scene)


# Its pauses.


def _paused(scene: Scene, event: PauseHeard) -> None:
    known = scene.state.speech.silence
    aside = known is not None and known.aside
    sound = event.sound if event.sound is not None else (known.sound if known else None)
    since = scene.now - event.silence
    if known is not None:
        # Word of a pause comes late, never early: of several the quickest is right.
        since = min(since, known.since)
    _change(scene, silence=Silence(since, event.end, sound, aside))
    consider(scene)


def consider(scene: Scene) -> None:
    """Decides whether the pause ends the answer, and when to look again if it does not."""
    speech, floor = scene.state.speech, scene.state.floor
    scene.cancel(Timer.LOOK_AGAIN)
    if speech.silence is None or speech.finalizing or not speech.under_way:
        return
    silence = max(0.0, scene.now - speech.silence.since)
    if _superseded(scene) or (floor is not None and floor.line.kind is not Kind.ASIDE):
        _end_at(scene, silence, OVER_LINE_SECONDS)
    elif scene.state.hold is not None:
        return
    elif not speech.text.strip():
        _end_at(scene, silence, WORDLESS_SECONDS)
    else:
        _weigh(scene, silence)


def _end_at(scene: Scene, silence: float, limit: float) -> None:
    if silence >= limit:
        end_turn(scene)
    else:
        scene.start(Timer.LOOK_AGAIN, max(SHORTEST_LOOK_SECONDS, limit - silence))


def _weigh(scene: Scene, silence: float) -> None:
    speech, place = scene.state.speech, scene.place
    assert speech.silence is not None  # noqa: S101 - `consider` has looked
    if _asks_for_something(scene, speech.text):
        _end_at(scene, silence, COMMAND_SECONDS)
        return
    began = place.answer.turns[0].start if place.answer.turns else speech.start
    pause = Pause(
        silence=silence,
        sound=speech.silence.sound,
        text=place.answer.whole(speech.text),
        speech=max(0.0, scene.now - began),
        words=speech.words,
    )
    verdict = decide(pause, scene.script.asked(place), scene.state.pace, scene.state.patience)
    if verdict.decision is Decision.ANSWER:
        end_turn(scene)
        return
    if verdict.decision is not Decision.WAIT:
        _say_aside(scene, verdict.decision)
    if verdict.look_again is not None:
        wait = max(SHORTEST_LOOK_SECONDS, verdict.look_again - silence)
        scene.start(Timer.LOOK_AGAIN, wait)


def _asks_for_something(scene: Scene, text: str) -> bool:
    """Whether it is whole as it is: a command, or a refusal to answer."""
    meant = understand(text, situation(scene, None), final=True)
    if meant in COMMANDS or wishes.agreed(scene, text) is not None:
        return True
    asked = scene.script.asked(scene.place).text
    if not declined(text, scene.script.about(scene.place), asked):
        return False
    wording = read(text, scene.script.settings.language)
    return not (wording.unfinished or wording.leaning)


def _say_aside(scene: Scene, decision: Decision) -> None:
    """Says something that does no harm if the candidate goes on; once a pause."""
    silence = scene.state.speech.silence
    if silence is None or silence.aside or scene.state.floor is not None:
        return
    if not scene.state.voiced:
        return
    _change(scene, silence=replace(silence, aside=True))
    opens = decision is Decision.OPENER
    script = scene.script
    text = script.opener(scene.state.speech.number) if opens else script.take_your_time()
    speaking.say(scene, script.aside(text, scene.place))


def end_turn(scene: Scene) -> None:
    """The answer is over: the recogniser is asked for its final text."""
    _change(scene, finalizing=True)
    scene.want(a.Finalize())
    scene.start(Timer.FINAL, scene.script.pace.final)


# Its end.


def _ended(scene: Scene, event: TurnEnded) -> None:
    eager_at = _close(scene)
    if answers.superseded(scene, event.start):
        _take_before(scene, event)
        speaking.resume(scene)
        return
    if not event.text.strip() or answers.known_already(scene, event):
        if _is_lost(scene, event):
            scene.set(quiet=1)
            lost = scene.script.aside(scene.script.not_heard(), scene.place, answered=True)
            speaking.say(scene, lost)
        speaking.resume(scene)
        return
    floor = scene.state.floor
    meant = understand(event.text, situation(scene, floor), final=True)
    if floor is not None and floor.interruptible:
        if meant in LISTENING:
            speaking.resume(scene)
            return
        speaking.stop(scene, takes_back=meant is Intent.SPEECH)
    else:
        if floor is not None and floor.started is None:
            speaking.stop(scene)
        speaking.take_back(scene)
    scene.set(quiet=0)
    if wishes.taken(scene, answers.apart(scene, event), meant):
        return
    if meant is Intent.SPEECH:
        _take(scene, event, eager_at)
    elif scene.state.hold is None:
        answers.settle(scene)


def _is_lost(scene: Scene, event: TurnEnded) -> bool:
    """Whether to tell the candidate that nothing was understood of what they said for long.

    Only where all of their answer is lost, and once: a noise that goes on is like silence.
    """
    state, place = scene.state, scene.place
    long = not event.text.strip() and event.end - event.start >= LOST_SECONDS
    waiting = state.idle and place.asked and place.step.asks and not place.answer.turns
    return long and waiting and state.hold is None and state.quiet == 0


def _take_before(scene: Scene, event: TurnEnded) -> None:
    """The stretch is of before the last typed answer, and belongs to what that answered."""
    if understand(event.text, situation(scene, None), final=True) not in LISTENING:
        answers.before_typed(scene, event)


def _take(scene: Scene, event: TurnEnded, eager_at: float | None) -> None:
    """The stretch is an answer, or belongs to one."""
    scene.withdraw()
    if scene.place.step.asks:
        answers.reopen(scene)
    turn = answers.spoken(scene, event)
    hold = scene.state.hold
    if hold is not None and hold.spoke:
        holding.release(scene)
    if scene.state.hold is not None:
        answers.hold(scene, turn)
        return
    answers.over(scene, turn)
    if scene.place.step.asks:
        replies.release(scene, replies.turn_clock(scene, turn, eager_at, event.finalization))


def salvage(scene: Scene) -> bool:
    """Takes the running speech as far as it was understood; whether there was any."""
    speech, floor = scene.state.speech, scene.state.floor
    meant = understand(speech.text, situation(scene, floor), final=True)
    superseded = _superseded(scene)
    _close(scene)
    event = TurnEnded(speech.text, speech.words, speech.start, max(speech.start, speech.end))
    if superseded:
        _take_before(scene, event)
        return False
    if meant in LISTENING:
        return False
    speaking.stop(scene, takes_back=True)
    before = scene.place.answer.last
    if before is not None and before.typed:
        before = None
    _take(scene, event, speech.eager_at)
    taken = scene.place.answer.last
    if taken is not None:
        scene.set(salvage=Salvage(taken.id, before, event.start, event.end))
    return True


def leave(scene: Scene) -> bool:
    """`salvage` for another process, which hears it again; a wish is nothing until then."""
    text = scene.state.speech.text
    meant = understand(text, situation(scene, scene.state.floor), final=True)
    if meant in wishes.WISHES or wishes.agreed(scene, text) is not None:
        _close(scene)
        return True
    return salvage(scene)


def nothing_in_time(scene: Scene) -> None:
    """What was lost was not heard again, or a final text does not come."""
    if scene.state.speech.under_way and not salvage(scene):
        speaking.resume(scene)


def finished(scene: Scene) -> None:
    """The candidate says that the answer is over; the recogniser knows already."""
    holding.release(scene)
    if scene.state.speech.under_way:
        _change(scene, finalizing=True)
        scene.start(Timer.FINAL, scene.script.pace.final)
