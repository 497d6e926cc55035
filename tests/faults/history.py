"""What one client saw of an interview, and what must be true of it and of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2, report_pb2, turn_pb2

from services.runtime.stats import seconds
from tests.faults.tones import WORDS, Tone

KNOWN = frozenset(WORDS)
REBUILT_GAP = 1000
"""So far at least numbers jump where another orchestrator has taken the interview over."""
OVER = frozenset(
    {
        interview_pb2.INTERVIEW_STATE_COMPLETED,
        interview_pb2.INTERVIEW_STATE_CANCELLED,
        interview_pb2.INTERVIEW_STATE_FAILED,
    }
)


@dataclass(frozen=True)
class Answer:
    """One answer of the candidate.

    Attributes:
        words: What was said, or typed.
        typed: Which of them.
        faulty: Whether the recogniser was known not to work while it was said.
    """

    words: tuple[str, ...]
    typed: bool
    faulty: bool = False


@dataclass(frozen=True)
class Stored:
    """What the server says of the interview afterwards.

    Attributes:
        interview: It.
        turns: ListTurns.
        report: GetReport; None if there is none.
        recorded: For each spoken turn of the candidate, by id, the words in its recording.
    """

    interview: interview_pb2.Interview
    turns: Sequence[turn_pb2.Turn]
    report: report_pb2.Report | None
    recorded: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Received:
    """An event and the connection it came on, counted from 1."""

    event: pb.InterviewEvent
    connection: int


@dataclass
class History:
    """What a candidate's client did and saw, in order.

    Attributes:
        events: What came.
        answers: What was said and typed.
        sent: Seconds of audio that were written.
        played: For each utterance, how far it was acknowledged when its end was told.
    """

    events: list[Received] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    sent: float = 0.0
    played: dict[str, float] = field(default_factory=dict)

    def told(self, kind: str) -> list[pb.InterviewEvent]:
        """The events of one kind."""
        return [got.event for got in self.events if got.event.HasField(kind)]  # type: ignore[arg-type]

    @property
    def state(self) -> int:
        """The last state told."""
        return self.told("state_changed")[-1].state_changed.state

    def turns(self) -> dict[str, turn_pb2.Turn]:
        """The turns that hold: told, and not taken back, as they were told last."""
        turns: dict[str, turn_pb2.Turn] = {}
        for got in self.events:
            event = got.event
            match event.WhichOneof("event"):
                case "candidate_turn":
                    turns.pop(event.candidate_turn.turn.id, None)
                    turns[event.candidate_turn.turn.id] = event.candidate_turn.turn
                case "utterance_ended" if event.utterance_ended.turn.id:
                    turns[event.utterance_ended.turn.id] = event.utterance_ended.turn
                case "turn_reopened":
                    turns.pop(event.turn_reopened.turn_id, None)
        return turns


def words(text: str) -> list[str]:
    """The candidate's words in a text."""
    return [word for word in text.lower().replace(".", "").split() if word in KNOWN]


def plain(text: str) -> list[str]:
    """A text's words without the marks around them."""
    return [word.strip(".,:;?!\"'") for word in text.split()]


def violations(history: History, stored: Stored) -> list[str]:
    """Everything that is not as it must be."""
    return [
        *numbers(history),
        *offsets(history),
        *kept(history, stored),
        *answered(history, stored),
        *heard(history),
        *ended(history, stored),
        *reported(stored),
        *recorded(stored),
    ]


def numbers(history: History) -> Iterator[str]:
    """Each event comes once, in order, and none is missing; a join is answered in between."""
    seen: list[Received] = []
    connection = 0
    for got in history.events:
        begins, connection = got.connection > connection, got.connection
        if not (begins and got.event.audio_received.HasField("received")):
            seen.append(got)
        elif got.event.seq != (seen[-1].event.seq if seen else 0):
            yield f"the join of connection {connection} was answered under {got.event.seq}"
    for one, two in pairwise(seen):
        step = two.event.seq - one.event.seq
        rebuilt = two.connection > one.connection and step >= REBUILT_GAP
        if step != 1 and not rebuilt:
            yield (
                f"event {two.event.seq} (connection {two.connection}) came after"
                f" {one.event.seq} (connection {one.connection})"
            )


def offsets(history: History) -> Iterator[str]:
    """What was taken of the audio stays taken, and was sent."""
    taken = [seconds(e.audio_received.offset) for e in history.told("audio_received")]
    for one, two in pairwise(taken):
        if two < one:
            yield f"the audio was taken up to {one:g} s, and then up to {two:g} s"
    if taken and taken[-1] > history.sent + 0.001:
        yield f"{taken[-1]:g} s of audio were taken, {history.sent:g} s were sent"


def kept(history: History, stored: Stored) -> Iterator[str]:
    """What was acknowledged is what is stored."""
    told = history.turns()
    there = {turn.id: turn for turn in stored.turns}
    if len(there) != len(stored.turns):
        yield "a turn is stored twice"
    for name, turn in told.items():
        if name not in there:
            yield f"turn {name} ({turn.text!r}) was told and is not stored"
        elif there[name] != turn:
            yield f"turn {name} was told as {turn.text!r} and is stored as {there[name].text!r}"
    for name in there.keys() - told.keys():
        yield f"turn {name} ({there[name].text!r}) is stored and was never told"
    if stored.interview.turn_count != len(stored.turns):
        yield f"{stored.interview.turn_count} turns are counted, {len(stored.turns)} are listed"
    starts = [seconds(turn.start) for turn in stored.turns]
    if starts != sorted(starts):
        yield f"turns are out of order: {starts}"


def answered(history: History, stored: Stored) -> Iterator[str]:
    """Every word said is stored once, in its place, unless its loss was told."""
    found = [
        word
        for turn in stored.turns
        if turn.speaker == turn_pb2.SPEAKER_CANDIDATE
        for word in words(turn.text)
    ]
    said = [(word, answer) for answer in history.answers for word in answer.words]
    place = 0
    for word in found:
        begin = place
        while place < len(said) and said[place][0] != word:
            place += 1
        if place == len(said):
            yield f"{word!r} is stored out of place, or twice: {found} of {[w for w, _ in said]}"
            return
        yield from lost(said[begin:place], history)
        place += 1
    yield from lost(said[place:], history)


def lost(said: Sequence[tuple[str, Answer]], history: History) -> Iterator[str]:
    """Words that are nowhere, without that anybody has told the candidate."""
    for word, answer in said:
        if answer.typed or not answer.faulty:
            way = "typed" if answer.typed else "spoken"
            yield f"{word!r} of the {way} answer {answer.words} is lost"


def one_turn_an_answer(history: History, stored: Stored) -> Iterator[str]:
    """No answer is cut in two, and no two are one."""
    spoken = [
        tuple(words(turn.text))
        for turn in stored.turns
        if turn.speaker == turn_pb2.SPEAKER_CANDIDATE
    ]
    if spoken != [answer.words for answer in history.answers]:
        yield f"the turns are {spoken}, the answers {[a.words for a in history.answers]}"


def heard(history: History) -> Iterator[str]:
    """What is kept of the interviewer is what was heard, to the word."""
    texts: dict[str, str] = {}
    marks: dict[str, list[float]] = {}
    for got in history.events:
        event = got.event
        match event.WhichOneof("event"):
            case "text":
                name = event.text.utterance_id
                texts[name] = texts.get(name, "") + event.text.text
            case "audio":
                ends = marks.setdefault(event.audio.utterance_id, [])
                ends += [seconds(word.end) for word in event.audio.words]
            case "utterance_ended":
                yield from _heard(event.utterance_ended, texts, marks, history.played)


def _heard(
    told: pb.InterviewerUtteranceEnded,
    texts: dict[str, str],
    marks: dict[str, list[float]],
    played: dict[str, float],
) -> Iterator[str]:
    name, said = told.utterance_id, plain(told.turn.text)
    written = plain(texts.get(name, ""))
    if said != written[: len(said)]:
        yield f"the interviewer is kept as {said}, and had written {written}"
    if not told.interrupted and said != written:
        yield f"{name} was not interrupted, but of {written} only {said} is kept"
    if told.interrupted and name in marks:
        position = played.get(name, 0.0)
        least = sum(end <= position for end in marks[name])
        if abs(len(said) - least) > 1:
            yield f"{least} words of {name} were heard, {len(said)} are kept: {said}"


def ended(history: History, stored: Stored) -> Iterator[str]:
    """The interview stands where the client was told that it stands."""
    if history.state != stored.interview.state:
        yield f"the last state told is {history.state}, the interview's {stored.interview.state}"
    if stored.interview.state not in OVER:
        yield f"the interview is not over: {stored.interview.state}"
    ready = history.told("report_ready")
    if (stored.interview.state == interview_pb2.INTERVIEW_STATE_COMPLETED) != (len(ready) == 1):
        yield f"{len(ready)} reports were told of an interview in state {stored.interview.state}"
    if ready and stored.report != ready[0].report_ready.report:
        yield "the report that was told is not the one that is read"


def reported(stored: Stored) -> Iterator[str]:
    """The report rests on what is stored."""
    if stored.report is None:
        return
    texts = {turn.id: turn.text for turn in stored.turns}
    for question in stored.report.questions:
        for name in set(question.turn_ids) - texts.keys():
            yield f"the report rests on turn {name}, which is not stored"
        scores = [point.evidence for point in question.key_points if point.HasField("evidence")]
        for score in question.dimensions:
            scores += score.evidence
        for evidence in scores:
            if evidence.quote not in texts.get(evidence.turn_id, ""):
                yield f"the report quotes {evidence.quote!r}, which nobody said"


def recorded(stored: Stored) -> Iterator[str]:
    """Each answer can be heard where its turn says."""
    for turn in stored.turns:
        if turn.id in stored.recorded and stored.recorded[turn.id] != words(turn.text):
            yield f"of {turn.text!r} the recording has {stored.recorded[turn.id]}"


def within(tones: Sequence[Tone], start: float, end: float) -> list[str]:
    """The words between two moments, give or take half a word."""
    return [tone.word for tone in tones if start - 0.1 <= tone.start and tone.end <= end + 0.1]


def joined(pieces: Sequence[tuple[float, bytes]], rate_hz: int) -> np.ndarray:
    """Pieces of a recording, each with when it begins, on one timeline in float32 samples."""
    length = max((round(at * rate_hz) + len(audio) // 2 for at, audio in pieces), default=0)
    samples = np.zeros(length, dtype=np.float32)
    for at, audio in pieces:
        begin = round(at * rate_hz)
        samples[begin : begin + len(audio) // 2] = np.frombuffer(audio, "<i2") / 32768
    return samples
