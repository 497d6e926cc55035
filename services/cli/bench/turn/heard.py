"""What one system made of one answer, however it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.cli.bench.spoken import Spoken


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer and the reply to it; seconds from the end of its speech.

    Attributes:
        spoken: What was said.
        sound: Until the first sound of the reply; None when none came.
        content: Until the first content, "Okay." being none.
        cuts: Inner pauses in which the system took the turn.
        stages: Until each part of the turn was done, in the order of the parts.
    """

    spoken: Spoken
    sound: float | None
    content: float | None
    cuts: int
    stages: Mapping[str, float] = field(default_factory=dict)


class System(Protocol):
    """Something that answers spoken answers."""

    name: str

    def __call__(self, recordings: Sequence[Spoken]) -> AsyncIterator[Heard]:
        """Is told the recordings in real time, one after the other; says what it made of each."""
        ...
