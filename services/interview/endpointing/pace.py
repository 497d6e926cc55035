"""How long this speaker pauses inside answers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

LEAST_PAUSE = 0.2
"""Seconds; shorter silences are articulation, no pauses (Campione & Véronis 2002)."""
_USUAL_PAUSE = 0.56
"""Seconds: the geometric mean of pauses of spontaneous speech, brief ones left out."""
_PRIOR = 6.0
"""Pauses' worth of trust in the usual speaker before this one has been heard."""
_FASTEST, _SLOWEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class SpeakerPace:
    """This speaker's inner pauses so far, in all answers.

    Attributes:
        pauses: How many.
        logarithms: The sum of their natural logarithms, relative to a usual pause.
    """

    pauses: int = 0
    logarithms: float = 0.0

    def observe(self, inner_pause_seconds: float) -> SpeakerPace:
        """The pace after one more pause after which the speaker went on."""
        if not inner_pause_seconds >= LEAST_PAUSE:
            return self
        relative = math.log(inner_pause_seconds / _USUAL_PAUSE)
        return SpeakerPace(self.pauses + 1, self.logarithms + relative)

    @property
    def slowness(self) -> float:
        """How many times as long as usual this speaker's pauses are; 1 until some were heard."""
        slowness = math.exp(self.logarithms / (self.pauses + _PRIOR))
        return min(_SLOWEST, max(_FASTEST, slowness))

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps({"pauses": self.pauses, "logarithms": self.logarithms})

    @classmethod
    def from_json(cls, text: str) -> SpeakerPace:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            read = json.loads(text)
            pauses, logarithms = int(read["pauses"]), float(read["logarithms"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("not a speaker's pace") from error
        if pauses < 0 or not math.isfinite(logarithms):
            raise ValueError("not a speaker's pace")
        return cls(pauses, logarithms)
