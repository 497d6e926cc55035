"""What voices are, what they are asked and what they answer."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.runtime.audio.pcm import Float32
from services.tts.normalization import Utterance


class Gender(enum.Enum):
    """How a voice is perceived."""

    UNSPECIFIED = "unspecified"
    FEMALE = "female"
    MALE = "male"


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine.

    Attributes:
        id: Its name in requests.
        display_name: Its name for people.
        description: What it sounds like and what it is good for.
        languages: BCP 47 tags, the best first.
        gender: How it is perceived.
        sample_rate_hz: The rate of its speech.
        pitch_control: Whether its pitch can be shifted.
        voice_cloning: Whether it takes a reference voice.
        samples_timbre: Whether the engine has noise for styles and sampling to act on.
        loudness_lufs: Its loudness, where its weights are known; None has it measured.
    """

    id: str
    display_name: str
    description: str
    languages: tuple[str, ...]
    gender: Gender
    sample_rate_hz: int
    pitch_control: bool = True
    voice_cloning: bool = False
    samples_timbre: bool = False
    loudness_lufs: float | None = None

    def speaks(self, language: str) -> bool:
        """Whether it speaks a BCP 47 language, region aside."""
        return primary(language) in {primary(own) for own in self.languages}


def primary(language: str) -> str:
    """The primary subtag: "en" of "en-GB"."""
    return language.split("-", 1)[0].lower()


@dataclass(frozen=True, slots=True)
class Model:
    """A model of an engine.

    Attributes:
        name: The name it goes by.
        version: The weights' version.
        engine: What runs it.
        device: Where.
        languages: BCP 47 tags.
        memory_bytes: About what its weights take.
    """

    name: str
    version: str
    engine: str
    device: str
    languages: tuple[str, ...]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an utterance is spoken, in what engines can do.

    Attributes:
        speed: Relative to the voice's own.
        timbre_variation: Factor on the engine's noise in how sounds turn out; 0 is none.
        timing_variation: Factor on its noise in how long they last; 0 is none.
        temperature, top_k, top_p: For engines that sample; None leaves the engine's own.
        seed: For engines that sample and can be seeded.
    """

    speed: float = 1.0
    timbre_variation: float = 1.0
    timing_variation: float = 1.0
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A recording of a voice to imitate.

    Attributes:
        samples: float32 [n], mono.
        sample_rate_hz: Their rate.
        digest: Of its samples: what tells it from others.
        transcript: What it says, if known.
    """

    samples: Float32
    sample_rate_hz: int
    digest: str
    transcript: str | None


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One thing to say.

    Attributes:
        utterance: What.
        voice: The id of one of the engine's voices.
        delivery: How.
        pronunciations: IPA by lower-case written word.
        reference: A voice to imitate, for engines that can.
    """

    utterance: Utterance
    voice: str
    delivery: Delivery = field(default_factory=Delivery)
    pronunciations: tuple[tuple[str, str], ...] = ()
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """Where a token of the utterance is heard.

    Attributes:
        token: Its index.
        start, end: In samples.
    """

    token: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Audio and where its words are.

    Attributes:
        samples: float32 [n], mono, in about [-1, 1].
        sample_rate_hz: Their rate.
        spans: In order, one a token at most; empty when the engine cannot tell.
    """

    samples: Float32
    sample_rate_hz: int
    spans: tuple[TokenSpan, ...] = ()

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate_hz


class Synthesizer(Protocol):
    """An engine: models that turn utterances into speech. Called in one thread at a time."""

    @property
    def model(self) -> Model:
        """What it runs."""

    @property
    def voices(self) -> Sequence[Voice]:
        """Its voices, the best first."""

    @property
    def max_batch_size(self) -> int:
        """The most requests worth giving it at once."""

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        """Speaks requests of one voice and delivery.

        Args:
            requests: At most `max_batch_size`, equal in voice, delivery and reference.

        Returns:
            Speech, or why there is none, for each.
        """
