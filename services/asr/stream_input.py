"""What a live stream is told: audio and the caller's wishes, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from services.asr.endpointing import EndpointingConfig
from services.asr.engines.engine import Float32


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A piece of the stream.

    Attributes:
        samples: Mono, 16 kHz.
        probabilities: The speech probabilities of the frames that are complete with it.
    """

    samples: Float32
    probabilities: Float32


@dataclass(frozen=True, slots=True)
class FinalizeTurn:
    """The caller ends the running turn."""


@dataclass(frozen=True, slots=True)
class ChangeEndpointing:
    """The caller changes when a turn counts as over, from here on."""

    config: EndpointingConfig


Input: TypeAlias = Heard | FinalizeTurn | ChangeEndpointing
