"""A conversation with its partners replaced at the seams, and a candidate to drive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from services.interview.clients.recogniser_speed import RecogniserSpeed
from services.interview.clients.seams import (
    ChatMessage,
    DependencyFailed,
    Endpointing,
    HearingConfig,
    PartialHeard,
    PlacedWord,
    ProbablyEnded,
    ServiceName,
    SpeechBegan,
    SpeechEvent,
    SpeechPiece,
    TurnEnded,
    Vectors,
    VoiceConfig,
    VoiceInfo,
    WentOn,
)
from services.interview.conversation.attendance import Attendance, Seat
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.conversation import Conversation
from services.interview.conversation.journal import Journal
from services.interview.conversation.pace import Pace, Partners
from services.interview.conversation.state import SessionState
from services.interview.events import (
    AudioFormat,
    Encoding,
    Entry,
    Event,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.interviewer.guarding import content_words
from services.interview.interviewer.judging import Judge
from services.interview.interviewer.words import is_chinese
from services.interview.questions.bank import Question
from services.interview.record import (
    Category,
    Difficulty,
    Interview,
    InterviewSettings,
    Mode,
    Patience,
    Phase,
    SpokenWord,
)
from services.interview.recordings.recorder import NO_RECORDER, Recorder
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease, LeaseLost
from services.runtime.postgres.failures import StoreFailed

PATIENCE = 30.0
"""What hangs this long is broken; nothing is measured by it."""
WORD_SECONDS = 0.3
Kind = TypeVar("Kind", bound=Event)


def question(number: int) -> Question:
    return Question(
        id=f"q{number}",
        text=f"How do you keep database number {number} healthy?",
        category=Category.TECHNICAL,
        difficulty=Difficulty.MEDIUM,
        tags=("databases",),
        key_points=(
            "watch slow queries and add the right index",
            "take backups and restore them as a test",
            "plan capacity before the disk is full",
        ),
        follow_ups=(f"Which index did you add to number {number}?",),
    )


@dataclass
class FakeStream:
    """A recognition stream a test speaks into."""

    config: HearingConfig
    sent: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    finalized: asyncio.Event = field(default_factory=asyncio.Event)
    endpointing: asyncio.Queue[Endpointing] = field(default_factory=asyncio.Queue)
    heard: asyncio.Queue[SpeechEvent | DependencyFailed] = field(default_factory=asyncio.Queue)

    async def send(self, audio: bytes) -> None:
        self.sent.put_nowait(audio)

    async def finalize(self) -> None:
        self.finalized.set()

    async def set_endpointing(self, endpointing: Endpointing) -> None:
        self.endpointing.put_nowait(endpointing)

    async def events(self) -> AsyncIterator[SpeechEvent]:
        while True:
            event = await self.heard.get()
            if isinstance(event, DependencyFailed):
                raise event
            yield event


class FakeRecogniser:
    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.opened: asyncio.Queue[FakeStream] = asyncio.Queue()
        self.broken = self.crash = self.hangs = self.busy = False
        self.tried: list[bytes] = []
        self.takes = 0.0
        # Others have used it before.
        self.speed = RecogniserSpeed()
        self.speed.text_after(0.0)
        self.speed.took(0.0)

    async def check(self, audio: bytes, language: str, patience: float) -> bool:
        self.tried.append(audio)
        if self.hangs:
            await asyncio.Event().wait()
        if self.broken:
            raise DependencyFailed("asr", "UNAVAILABLE")
        await asyncio.sleep(self.takes)
        return not self.busy

    @asynccontextmanager
    async def open(self, config: HearingConfig) -> AsyncIterator[FakeStream]:
        if self.crash:
            raise RuntimeError("a fault of our own")
        if self.broken:
            raise DependencyFailed("asr", "UNAVAILABLE")
        stream = FakeStream(config)
        self.streams.append(stream)
        self.opened.put_nowait(stream)
        yield stream


class FakeSynthesiser:
    """Speaks a word in `WORD_SECONDS`; remembers what it was asked and what was given up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.configs: list[VoiceConfig] = []
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.cancelled: list[str] = []
        self.ahead: dict[str, bool] = {}
        self.broken = False
        self.unspeakable = ""
        self.gates: dict[str, asyncio.Event] = {}
        self.hangs: asyncio.Event | None = None
        self.takes = 0.0
        self.dies_after: int | None = None

    async def voices(self) -> Sequence[VoiceInfo]:
        if self.broken:
            raise DependencyFailed("tts", "UNAVAILABLE")
        return [
            VoiceInfo("joe", "Joe", "An even voice.", ("en",), is_default=True),
            VoiceInfo("jm_kumo", "Kumo", "A young mentor.", ("en", "zh")),
        ]

    async def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[SpeechPiece, None]:
        self.texts.append(text)
        self.configs.append(config)
        self.asked.put_nowait(text)
        self.ahead.setdefault(text, config.ahead)
        try:
            if self.broken:
                raise DependencyFailed("tts", "UNAVAILABLE")
            if self.unspeakable and self.unspeakable in text:
                raise DependencyFailed("tts", "INVALID_ARGUMENT")
            if self.hangs is not None:
                await self.hangs.wait()
            await asyncio.sleep(self.takes)
            if text in self.gates:
                await self.gates[text].wait()
            place, clock = 0, 0.0
            for count, word in enumerate(text.split()):
                if count == self.dies_after:
                    raise DependencyFailed("tts", "UNAVAILABLE")
                place = text.index(word, place) + len(word)
                mark = PlacedWord(word, place, clock, clock + WORD_SECONDS)
                shape = AudioFormat(Encoding.PCM_S16LE, 16000)
                audio = bytes(int(WORD_SECONDS * 16000) * 2)
                yield SpeechPiece(audio, clock, WORD_SECONDS, shape, (mark,))
                clock += WORD_SECONDS
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(text)
            raise


class FakeModel:
    """Writes the given pieces, once `gate` is open."""

    def __init__(self) -> None:
        self.pieces: Sequence[str] = (" choose", " the", " index?")
        self.gate = asyncio.Event()
        self.gate.set()
        self.prompts: list[Sequence[ChatMessage]] = []
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.broken = False

    async def chat(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, stop: Sequence[str]
    ) -> AsyncGenerator[str, None]:
        if max_tokens > 1:
            self.prompts.append(messages)
            self.asked.set()
        try:
            if self.broken:
                raise DependencyFailed("llm", "UNAVAILABLE")
            await self.gate.wait()
            for piece in self.pieces:
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise


class FailingStore(MemoryStore):
    """Keeps nothing while it is broken, and takes its time while it is slow."""

    def __init__(self) -> None:
        super().__init__(10)
        self.broken = self.lost = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def commit(self, *written: Any, **named: Any) -> None:
        self.asked.set()
        await self.gate.wait()
        if self.lost:
            raise LeaseLost
        if self.broken:
            raise StoreFailed("STORE_LOST", "no connection")
        await super().commit(*written, **named)


class FakeEmbedder:
    """Vectors of content words: texts that share words are alike."""

    def __init__(self) -> None:
        self.calls: list[Sequence[str]] = []
        self.broken: ServiceName | None = None
        self.model = "words"

    async def embed(self, texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
        self.calls.append(texts)
        if self.broken:
            raise DependencyFailed("embed", "UNAVAILABLE")
        return Vectors(self.model, np.stack([_vector(text) for text in texts]))


@lru_cache(4096)
def _vector(text: str) -> npt.NDArray[np.float32]:
    """Every server of a test embeds the whole bank."""
    row = np.zeros(256, dtype=np.float32)
    for word in content_words(text):
        row[sum(word.encode()) % 256] += 1
    row /= max(float(np.linalg.norm(row)), 1e-6)
    return row


class Stage:
    """A running conversation and its candidate."""

    def __init__(self, conversation: Conversation, attendance: Attendance) -> None:
        self.conversation = conversation
        self.attendance = attendance
        self.seen: list[Entry] = []
        self.recogniser = FakeRecogniser()
        self.synthesiser = FakeSynthesiser()
        self.model = FakeModel()
        self.embedder = FakeEmbedder()
        self.store: MemoryStore
        self.seat: Seat
        self._entries: AsyncIterator[Entry]
        self.now = 0.0

    def join(
        self, *, text_only: bool = False, last_seq: int | None = None, client: str | None = None
    ) -> None:
        shape = AudioFormat(Encoding.PCM_S16LE, 16000)
        self.seat = self.attendance.join(shape, None if text_only else shape, last_seq, client)
        self._entries = self.seat.entries()

    async def next(self) -> Entry:
        async with asyncio.timeout(PATIENCE):
            entry = await anext(self._entries)
        self.seen.append(entry)
        return entry

    async def until(self, kind: type[Kind], fits: Callable[[Kind], bool] = lambda _: True) -> Kind:
        while True:
            event = (await self.next()).event
            if isinstance(event, kind) and fits(event):
                return event

    async def rest(self) -> list[Event]:
        async with asyncio.timeout(PATIENCE):
            async for entry in self._entries:
                self.seen.append(entry)
        return [entry.event for entry in self.seen]

    async def started(self, phase: Phase) -> str:
        """Waits for an utterance of a phase; its id."""
        return (await self.until(UtteranceStarted, lambda e: e.phase is phase)).utterance_id

    async def play_out(self, phase: Phase) -> UtteranceEnded:
        """Waits for an utterance of a phase and says that all of it was heard."""
        name = await self.started(phase)
        self.played(name, 1e6, finished=True)
        return await self.until(UtteranceEnded, lambda e: e.utterance_id == name)

    async def play_out_running(self) -> UtteranceEnded:
        """Says that all was heard of what is being said."""
        floor = self.conversation.state.floor
        assert floor is not None
        self.played(floor.id, 1e6, finished=True)
        return await self.until(UtteranceEnded, lambda e: e.utterance_id == floor.id)

    def played(self, utterance_id: str, position: float, *, finished: bool = False) -> None:
        self.seat.played(utterance_id, position, finished=finished, client_time=None)

    async def stream(self) -> FakeStream:
        """The recognition stream that runs now, opened by a first bit of audio."""
        if not self.recogniser.streams:
            self.conversation.ears.hear(bytes(640))
        async with asyncio.timeout(PATIENCE):
            while not self.recogniser.streams:
                await self.recogniser.opened.get()
        return self.recogniser.streams[-1]

    async def hear(self, *events: SpeechEvent) -> None:
        stream = await self.stream()
        for event in events:
            stream.heard.put_nowait(event)

    async def begin_speech(self) -> None:
        await self.hear(SpeechBegan(self.now))

    async def answer(self, text: str) -> None:
        """A whole spoken answer, with an eager end of turn."""
        words = spoken(text, self.now)
        end = words[-1].end
        self.now = end + 1.0
        await self.hear(
            SpeechBegan(words[0].start),
            PartialHeard(" ".join(text.split()[:4]), ""),
            ProbablyEnded(text, words, words[0].start, end),
            TurnEnded(text, words, words[0].start, end),
        )

    async def to_first_question(self) -> None:
        await self.play_out(Phase.OPENING)
        await self.play_out(Phase.QUESTION)


def spoken(text: str, start: float) -> tuple[SpokenWord, ...]:
    return tuple(
        SpokenWord(word, start + WORD_SECONDS * i, start + WORD_SECONDS * (i + 1), 0.9)
        for i, word in enumerate(list(text) if is_chinese(text) else text.split())
    )


def went_on(start: float) -> WentOn:
    return WentOn(start)


FAST = Pace(patience=0.05, suspicion=0.05, follow_up_budget=5.0)


@asynccontextmanager
async def stage(
    *,
    rounds: int = 2,
    follow_ups: int = 1,
    pace: Pace = FAST,
    store: MemoryStore | None = None,
    absence_seconds: float = 60.0,
    abandoned_seconds: float = 600.0,
    journal_bytes: int = 1 << 24,
    patience: Patience = Patience.NORMAL,
    missing: Sequence[int] = (),
    restored: tuple[Interview, SessionState] | None = None,
    away: float = 0.0,
    judge: Judge | None = None,
    recorder: Recorder = NO_RECORDER,
    language: str = "en",
    questions: Sequence[Question] | None = None,
    mode: Mode = Mode.INTERVIEW,
    trade: str | None = None,
) -> AsyncIterator[Stage]:
    asked = [question(n) for n in range(1, rounds + 1)] if questions is None else questions
    interview = Interview(
        id="interview",
        user="somebody",
        settings=InterviewSettings(
            language=language,
            rounds=rounds,
            follow_ups=follow_ups,
            patience=patience,
            mode=mode,
            job_title=trade,
            own_trade=trade is not None,
        ),
        plan=tuple(each.id for each in asked),
        created=datetime.now(UTC),
    )
    if restored is not None:
        interview = restored[0]
    clock = InterviewClock(None if restored is None else restored[1].active_at + away)
    kept = store or MemoryStore(10)
    await kept.save(interview)
    lease = await kept.acquire(interview.id, "stage:0/1", 3600.0)
    assert isinstance(lease, Lease)
    chronicle = Chronicle(interview, kept, clock, Journal(clock.now, journal_bytes), lease)
    recogniser, synthesiser, model, embedder = (
        FakeRecogniser(),
        FakeSynthesiser(),
        FakeModel(),
        FakeEmbedder(),
    )
    conversation = Conversation(
        chronicle,
        [each for n, each in enumerate(asked, 1) if n not in missing],
        Partners(recogniser, synthesiser, model, embedder, judge),
        pace,
        recorder=recorder,
        restored=None if restored is None else restored[1],
    )
    attendance = Attendance(
        conversation, absence_seconds=absence_seconds, abandoned_seconds=abandoned_seconds
    )
    set_up = Stage(conversation, attendance)
    set_up.recogniser, set_up.synthesiser = recogniser, synthesiser
    set_up.model, set_up.embedder = model, embedder
    set_up.store = kept
    running = asyncio.create_task(conversation.run())
    try:
        yield set_up
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if not running.cancelled() and (error := running.exception()) is not None:
            raise error
