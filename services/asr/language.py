"""Which language a stream is in: a belief that every turn adds to and no short turn overturns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.asr.engines.languages import FULL_WEIGHT_SECONDS, OTHERS, evidence_against

_FADING = 0.8
"""What is left of the evidence when a full weight is added: people do change languages."""
_MOST = 8.0
"""The most that earlier turns may say against a language. One long and sure turn says more (9.2,
see evidence_against), a turn of two seconds less (3.1)."""


class LanguageBelief:
    """What the turns of a stream, or the stretches of a recording, say about its language."""

    def __init__(self) -> None:
        self._against: dict[str, float] = {}
        """Evidence against each language that is still thinkable, from 0 up."""

    @property
    def prior(self) -> tuple[tuple[str, float], ...]:
        """Weights of the languages for the next window; empty before any evidence."""
        if not self._against:
            return ()
        weights = ((code, math.exp(-against)) for code, against in self._against.items())
        return (*weights, (OTHERS, math.exp(-_MOST)))

    def hear(self, languages: Sequence[tuple[str, float]], seconds: float) -> None:
        """Adds what speech of that length was heard as; see Hypothesis. Nothing says nothing."""
        if not languages:
            return
        heard = dict(languages)
        unheard = _MOST if self._against else 0.0
        fading = _FADING ** (seconds / FULL_WEIGHT_SECONDS)
        totals = {
            code: fading * self._against.get(code, unheard)
            + evidence_against(heard.get(code, 0.0), seconds)
            for code in {*self._against, *heard}
        }
        least = min(totals.values())
        against = {code: total - least for code, total in totals.items()}
        self._against = {code: value for code, value in against.items() if value < _MOST}
