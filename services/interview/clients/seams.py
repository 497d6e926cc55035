"""What the interview needs of the four model servers, and of the accounts.

Every model server raises `DependencyFailed` and nothing else when it cannot be used.
Times of one stream are seconds from the start of that stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from services.interview.clients.recogniser_speed import RecogniserSpeed
from services.interview.events import AudioFormat
from services.interview.record import SpokenWord

HEARING_RATE_HZ = 16_000
"""The rate candidates' audio is brought to before recognition: what Whisper and Silero take."""

ServiceName = Literal["asr", "tts", "llm", "embed"]


class DependencyFailed(Exception):
    """A model server could not be used.

    Attributes:
        service: Which one.
        reason: The status code or what else happened; never the user's words.
    """

    def __init__(self, service: ServiceName, reason: str) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.reason = reason


class Quota(Protocol):
    """How many interviews users may create."""

    async def reserve(self, user: str, interview_id: str) -> None:
        """Counts an interview of the user's.

        Raises:
            ServiceError: They may create none now, or that cannot be found out.
        """
        ...

    async def release(self, user: str, interview_id: str) -> None:
        """Gives an interview back that is not held; one that is not counted does no harm.

        Raises:
            ServiceError: That was not done; whether a retry can help, its code says.
        """
        ...


class NoQuota:
    """As many as anybody likes: where there are no accounts."""

    async def reserve(self, user: str, interview_id: str) -> None:
        """Counts nothing."""

    async def release(self, user: str, interview_id: str) -> None:
        """Counts nothing."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Someone began to speak."""

    start: float


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """What has been understood so far."""

    stable: str
    unstable: str


@dataclass(frozen=True, slots=True)
class ProbablyEnded:
    """The speaker has probably finished; the text holds if they have."""

    text: str
    words: tuple[SpokenWord, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PauseHeard:
    """The speaker is silent, inside a turn; told again while the silence lasts.

    Attributes:
        silence: Seconds since the last speech.
        end: Where the speech before it ended.
        sound: The probability by the sound of the whole turn that it is complete, 0 to 1, if known.
    """

    silence: float
    end: float
    sound: float | None = None


@dataclass(frozen=True, slots=True)
class WentOn:
    """The speaker went on after `ProbablyEnded` or `PauseHeard`."""

    start: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The speaker has finished; `finalization` in seconds from the decision to the final text."""

    text: str
    words: tuple[SpokenWord, ...]
    start: float
    end: float
    finalization: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a turn that was asked for was carried out, or there was none to end."""


@dataclass(frozen=True, slots=True)
class SpeechLost:
    """The stream broke during a turn; the next hears it again, and finds speech in it or not."""


SpeechEvent = (
    SpeechBegan
    | PartialHeard
    | PauseHeard
    | ProbablyEnded
    | WentOn
    | TurnEnded
    | Answered
    | SpeechLost
)


@dataclass(frozen=True, slots=True)
class HearingConfig:
    """How to listen; silences in seconds."""

    language: str
    phrase_hints: tuple[str, ...] = ()
    min_silence: float = 0.25
    max_silence: float = 0.8


@dataclass(frozen=True, slots=True)
class Endpointing:
    """Silences in seconds: after which a turn is probably over, and after which it is."""

    min_silence: float
    max_silence: float


class RecognitionStream(Protocol):
    """One live stream of 16-bit mono samples at `HEARING_RATE_HZ`."""

    async def send(self, audio: bytes) -> None:
        """Sends samples."""
        ...

    async def finalize(self) -> None:
        """Ends the running turn now."""
        ...

    async def set_endpointing(self, endpointing: Endpointing) -> None:
        """Changes when a turn is over, the running one included."""
        ...

    def events(self) -> AsyncIterator[SpeechEvent]:
        """What is heard; ends when the server ends the stream."""
        ...


class Recogniser(Protocol):
    """Speech to text."""

    @property
    def speed(self) -> RecogniserSpeed:
        """How fast it was, for all of its streams."""
        ...

    def open(self, config: HearingConfig) -> AbstractAsyncContextManager[RecognitionStream]:
        """Opens a stream; leaving the context abandons it."""
        ...

    async def check(self, audio: bytes, language: str, patience: float) -> bool:
        """Recognises a little, 16-bit mono samples at `HEARING_RATE_HZ`, in `patience` seconds.

        The answer is whether it did; a server that has too much to do says so, and does not.

        Raises:
            DependencyFailed: It could not, or not in time.
        """
        ...


class Style(IntEnum):
    """How a line is meant; the synthesis contract's numbers."""

    NEUTRAL = 1
    WELCOMING = 2
    ENCOURAGING = 3
    THANKFUL = 4
    CHEERFUL = 5
    CALM = 6


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice there is, for people to choose from."""

    id: str
    display_name: str = ""
    description: str = ""
    languages: tuple[str, ...] = ("en",)
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """How to speak. `ahead` says that nobody waits for it yet."""

    language: str
    voice: str | None
    format: AudioFormat
    style: Style = Style.NEUTRAL
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word of the text: its end in the text, in code points, and its times in the audio."""

    text: str
    text_end: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SpeechPiece:
    """A piece of speech; offset and duration in seconds of the whole."""

    audio: bytes
    offset: float
    duration: float
    format: AudioFormat
    words: tuple[PlacedWord, ...] = ()


class Synthesiser(Protocol):
    """Text to speech."""

    async def voices(self) -> Sequence[VoiceInfo]:
        """The voices there are, the default first."""
        ...

    def speak(self, text: str, config: VoiceConfig) -> AsyncGenerator[SpeechPiece, None]:
        """The speech in order, each piece as soon as it exists; closing the iterator cancels."""
        ...


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatModel(Protocol):
    """Text generation."""

    def chat(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, stop: Sequence[str]
    ) -> AsyncGenerator[str, None]:
        """The likeliest answer, piece by piece; closing the iterator stops the generation."""
        ...


class ConstrainedModel(Protocol):
    """Text generation that can be held to a form."""

    def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int,
        stop: Sequence[str],
        json_schema: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """As `ChatModel.chat`; with a JSON Schema the whole answer is a value it accepts."""
        ...


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of length 1, float32 [texts, dimensions], and the model that made them."""

    model: str
    values: npt.NDArray[np.float32]


class Embedder(Protocol):
    """Text to vectors."""

    async def embed(self, texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
        """One vector a text; `query` for search phrases, `background` when nobody waits."""
        ...
