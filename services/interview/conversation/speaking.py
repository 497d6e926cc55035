"""The interviewer has the floor: an utterance is told, played at the client, and kept as heard."""

from __future__ import annotations

import re
from dataclasses import replace

from services.interview.clients.seams import SpeechPiece
from services.interview.conversation import actions as a
from services.interview.conversation import degrading
from services.interview.conversation.playback import Heard, heard_text
from services.interview.conversation.scene import Scene
from services.interview.conversation.state import Answer, Kind, Line, Timer, Utterance
from services.interview.events import (
    AudioFormat,
    InterviewerAudio,
    InterviewerText,
    PlaybackAction,
    PlaybackControl,
    StateChanged,
    TurnTimings,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.record import Phase, Speaker, SpokenWord, State, Turn

CONTENT_SHARE = 0.5
"""A question counts as asked once so many of its words were heard, its courtesies apart."""
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff][\w'’-]*")
"""A word; of Chinese, a character."""
END_MARGIN_SECONDS = 0.3
"""For a client that acknowledges nothing: its buffer plays on a little longer than was sent."""
ACKNOWLEDGEMENT_SECONDS = 4.0
"""A client that acknowledges and then falls silent has gone; its playback counts as over."""
UNSPEAKABLE = "INVALID_ARGUMENT"
"""The synthesiser's refusal of one text, which says nothing of the next."""
STALL_SECONDS = 2.5
"""A line whose sound has run out for so long gets no more of it."""


def say(scene: Scene, line: Line, timings: TurnTimings | None = None) -> None:
    """Begins to say a line. The floor must be free."""
    assert scene.state.floor is None, "something is being said"  # noqa: S101
    utterance = Utterance(scene.name(), line, scene.now, timings)
    if not scene.state.present:
        utterance = replace(utterance, playback=utterance.playback.pause(scene.now))
    scene.set(floor=utterance)
    scene.cancel(Timer.QUIET)
    if scene.state.voiced:
        scene.want(a.Speak(utterance.id, line))
        scene.start(Timer.SOUND, scene.script.pace.first_audio)
    else:
        show(scene)


def show(scene: Scene) -> None:
    """Says the line in writing alone."""
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - there is one to show
    _announce(scene, None)
    if utterance.timings is not None:
        scene.tell(utterance.timings)
    _finish(scene, utterance.line.text, interrupted=False, asked=True)


def _announce(scene: Scene, audio: AudioFormat | None) -> None:
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - called for the one there is
    line = utterance.line
    scene.set(floor=replace(utterance, started=scene.now, format=audio))
    if line.kind is Kind.CONTENT:
        _enter(scene, line)
    elif line.kind is Kind.AGAIN:
        # It is what is answered now, and no longer what was offered before.
        scene.withdraw()
    # What commits to nothing belongs to no part: nobody answers an "Mm-hm."
    belongs = line.kind is not Kind.ASIDE or line.answered
    phase = line.step.phase if belongs else Phase.UNSPECIFIED
    scene.tell(UtteranceStarted(utterance.id, audio, phase))
    scene.tell(InterviewerText(utterance.id, line.text))
    if audio is not None and utterance.suspended:
        scene.tell(PlaybackControl(utterance.id, PlaybackAction.PAUSE))


def _enter(scene: Scene, line: Line) -> None:
    """The interview is at the line's step from here on, unless nobody hears the line."""
    before = scene.place
    if line.step.phase is Phase.QUESTION:
        scene.ask(line.step.round, line.question_id)
    if before.line is None:
        scene.set_place(line=line, shown=scene.now, said=(line.text,))
        return
    levels, level = before.levels, before.level
    if line.step.round != before.step.round or line.step.phase is Phase.CLOSING:
        if before.step.asks:
            scene.want(a.Score(before.step.round))
            levels = levels if level is None else (*levels, level)
        level = None
    scene.withdraw()
    scene.set(before=before, quiet=0)
    scene.set_place(
        step=line.step,
        line=line,
        shown=scene.now,
        answer=Answer(),
        asked=False,
        repeat=False,
        rephrased=False,
        wondered=False,
        said=(*before.said, line.text),
        levels=levels,
        level=level,
    )
    move(scene, State.LIVE)


def move(scene: Scene, state: State) -> None:
    """Changes where the interview stands, and says so."""
    step = scene.place.step
    scene.set(state=state)
    scene.want(a.Move(state, step))
    scene.tell_stored(StateChanged(state, step.phase, step.asked_round))


# The sound.


def piece_made(scene: Scene, utterance_id: str, piece: SpeechPiece) -> None:
    """The next piece is there: it is sent on, if the line is still being said."""
    utterance = scene.state.floor
    if utterance is None or utterance.id != utterance_id:
        return
    first = utterance.started is None
    if first:
        _announce(scene, piece.format)
        utterance = scene.state.floor
        assert utterance is not None  # noqa: S101 - it was just announced
    until = piece.offset + piece.duration
    scene.set(
        floor=replace(
            utterance,
            words=utterance.words + piece.words,
            playback=utterance.playback.send(until, scene.now),
        )
    )
    words = tuple(SpokenWord(w.text, w.start, w.end) for w in piece.words)
    scene.tell(InterviewerAudio(utterance_id, piece.offset, piece.audio, words))
    if first and utterance.timings is not None:
        first_audio = scene.now - utterance.timings.speech_end
        scene.tell(replace(utterance.timings, first_audio=first_audio))
    _watch(scene)


def speech_made(scene: Scene, utterance_id: str, failure: str | None) -> None:
    """All sound of a line was made, or no more of it can be."""
    utterance = scene.state.floor
    if utterance is not None and utterance.id != utterance_id:
        utterance = None
    unheard = utterance is not None and utterance.started is None
    if failure is None:
        degrading.worked(scene, "tts")
    elif not (unheard and failure == UNSPEAKABLE):
        degrading.failed(scene, "tts", failure)
    if unheard:
        show(scene)
    if utterance is None or unheard:
        return
    scene.set(floor=replace(utterance, complete=True, broken=failure is not None))
    _look(scene)


def played(scene: Scene, utterance_id: str, heard: Heard) -> None:
    """The client says how far it has played an utterance."""
    utterance = scene.state.floor
    if utterance is None or utterance.id != utterance_id or utterance.started is None:
        return
    scene.set(floor=replace(utterance, playback=utterance.playback.acknowledge(heard)))
    _look(scene)


def _look(scene: Scene) -> None:
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - callers have looked
    if utterance.complete and utterance.playback.finished:
        played_out(scene)
    else:
        _watch(scene)


def _watch(scene: Scene) -> None:
    """Keeps the time until something must have happened to the sound."""
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - callers have looked
    playback = utterance.playback
    if playback.held:
        scene.cancel(Timer.SOUND)
        return
    margin = STALL_SECONDS
    if utterance.complete:
        margin = ACKNOWLEDGEMENT_SECONDS if playback.acknowledged else END_MARGIN_SECONDS
    scene.start(Timer.SOUND, playback.remaining(scene.now) + margin)


def sound_overdue(scene: Scene) -> None:
    """What should have happened to the sound has not."""
    utterance = scene.state.floor
    if utterance is None:
        return
    if utterance.complete:
        played_out(scene)
        return
    scene.want(a.Hush(utterance.id))
    speech_made(scene, utterance.id, "no audio in time")


def played_out(scene: Scene) -> None:
    """The line is over: all that was sent was played, or nobody says so any more."""
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - callers have looked
    playback = utterance.playback
    text = utterance.line.text
    vanished = playback.acknowledged and not playback.finished
    if utterance.broken or vanished:
        heard = heard_text(text, utterance.words, playback.heard(scene.now))
    else:
        heard = text
    # Whoever was told it twice, and can read it, is not asked for ever.
    again = utterance.line.kind is Kind.AGAIN and (vanished or utterance.broken)
    asked = again or content_heard(utterance.line, heard)
    _finish(scene, heard, interrupted=heard != text, asked=asked)


def content_heard(line: Line, heard: str) -> bool:
    """Whether enough of the question itself was heard for it to be asked."""
    content = len(_WORD.findall(line.text[line.content :]))
    return len(_WORD.findall(heard[line.content :])) >= CONTENT_SHARE * max(1, content)


def suspend(scene: Scene) -> None:
    """Holds playback while it is unclear whether the candidate interrupts."""
    utterance = scene.state.floor
    if utterance is None or utterance.suspended:
        return
    playback = utterance.playback.pause(scene.now)
    scene.set(floor=replace(utterance, suspended=True, playback=playback))
    if utterance.started is not None:
        scene.tell(PlaybackControl(utterance.id, PlaybackAction.PAUSE))
        scene.cancel(Timer.SOUND)


def resume(scene: Scene) -> None:
    """Goes on where it was: it was no interruption."""
    utterance = scene.state.floor
    scene.cancel(Timer.SUSPICION)
    if utterance is None or not utterance.suspended:
        return
    playback = utterance.playback
    if scene.state.present:
        playback = playback.resume(scene.now)
    scene.set(floor=replace(utterance, suspended=False, playback=playback))
    if utterance.started is not None:
        scene.tell(PlaybackControl(utterance.id, PlaybackAction.RESUME))
        _look(scene)


def nobody_listens(scene: Scene) -> None:
    """The client is gone: nothing is heard until one is there."""
    utterance = scene.state.floor
    if utterance is not None and not utterance.playback.held:
        playback = utterance.playback.pause(scene.now)
        scene.set(floor=replace(utterance, playback=playback))
        if utterance.started is not None:
            scene.cancel(Timer.SOUND)


def somebody_listens(scene: Scene) -> None:
    """A client is there, and goes on with what is being said."""
    utterance = scene.state.floor
    if utterance is None or utterance.suspended or not utterance.playback.held:
        return
    scene.set(floor=replace(utterance, playback=utterance.playback.resume(scene.now)))
    if utterance.started is not None:
        _look(scene)


# The end of a line.


def heard_of(scene: Scene, utterance: Utterance) -> str:
    """What was heard of an utterance by now."""
    if utterance.started is None:
        return ""
    position = utterance.playback.heard(scene.now)
    return heard_text(utterance.line.text, utterance.words, position)


def stop(scene: Scene, *, takes_back: bool = False, read: bool = False) -> bool:
    """Gives the floor up; whether the interview went back to where it was before the line.

    Args:
        scene: The scene.
        takes_back: It goes back when too little of a question was heard for it to be asked.
        read: The candidate has read the question, and needs not hear it.
    """
    utterance = scene.state.floor
    if utterance is None:
        return False
    line, heard = utterance.line, heard_of(scene, utterance)
    scene.want(a.Hush(utterance.id))
    if utterance.started is None:
        _free(scene)
        return takes_back and take_back(scene)
    scene.tell(PlaybackControl(utterance.id, PlaybackAction.STOP))
    asked = read or content_heard(line, heard)
    _finish(scene, heard, interrupted=True, asked=asked)
    return takes_back and take_back(scene)


def take_back(scene: Scene) -> bool:
    """Goes back to where the interview was before a question that nobody heard; whether it did."""
    place, before = scene.place, scene.state.before
    unasked = place.step.asks and not place.asked
    if not unasked or before is None or place.answer.turns or place.answer.held is not None:
        return False
    scene.set(place=before, before=None)
    move(scene, State.LIVE)
    return True


def _free(scene: Scene) -> None:
    scene.set(floor=None)
    scene.cancel(Timer.SOUND)
    scene.cancel(Timer.SUSPICION)


def _finish(scene: Scene, heard: str, *, interrupted: bool, asked: bool) -> None:
    """The utterance is over: the record keeps what was heard, and whether it was a question."""
    utterance = scene.state.floor
    assert utterance is not None  # noqa: S101 - it is over now
    line, started = utterance.line, utterance.started
    _free(scene)
    asked = asked and line.kind is not Kind.ASIDE and line.step.asks
    if asked:
        scene.set_place(asked=True)
    turn = Turn(
        id=utterance.id,
        speaker=Speaker.INTERVIEWER,
        text=heard,
        start=scene.now if started is None else started,
        end=scene.now,
        round=line.step.asked_round if asked else 0,
        question_id=line.question_id if asked else "",
    )
    if utterance.format is not None:
        playback = utterance.playback
        seconds = playback.heard(scene.now) if interrupted else playback.sent
        scene.want(a.Record(utterance.id, utterance.format, playback.stretches, seconds))
    if heard:
        scene.keep(turn)
    scene.tell_stored(UtteranceEnded(utterance.id, turn, interrupted))
