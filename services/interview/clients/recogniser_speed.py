"""How fast a recogniser was: known to all who use it, so that only the first must guess."""

from __future__ import annotations

WORDLESS_SECONDS = 1.5
"""Speech is borne without text for so long before the engine is tried out, at least; at most, and
while nothing is known of it:"""
LONGEST_WORDLESS_SECONDS = 3.0
TRY_SECONDS = 1.3
"""What recognising a little speech may take, at least; with `WORDLESS_SECONDS` and a look it is the
3 s in which a candidate is told. At most, and while nothing is known:"""
LONGEST_TRY_SECONDS = 4.0
_GAP_FACTOR = 1.3
_TRY_FACTOR = 2.5
"""A slow machine is given so many times what it took before."""
_FADING = 0.9
"""What it took before is forgotten, so much is left from one time to the next."""


class RecogniserSpeed:
    """What a recogniser took, in seconds."""

    def __init__(self) -> None:
        self._gap: float | None = None
        self._took: float | None = None

    def text_after(self, seconds: float) -> None:
        """Text came so long after there was speech, or the text before."""
        gap = min(seconds, LONGEST_WORDLESS_SECONDS)
        self._gap = max(gap, _FADING * (self._gap or 0.0))

    def took(self, seconds: float) -> None:
        """Recognising a little speech took so long."""
        self._took = max(seconds, _FADING * (self._took or 0.0))

    @property
    def wordless(self) -> float:
        """Seconds for which speech is borne without text."""
        if self._gap is None:
            return LONGEST_WORDLESS_SECONDS
        return max(WORDLESS_SECONDS, min(LONGEST_WORDLESS_SECONDS, _GAP_FACTOR * self._gap))

    @property
    def patience(self) -> float:
        """Seconds that recognising a little speech may take."""
        if self._took is None:
            return LONGEST_TRY_SECONDS
        return max(TRY_SECONDS, min(LONGEST_TRY_SECONDS, _TRY_FACTOR * self._took))
