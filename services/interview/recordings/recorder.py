"""What a conversation tells a recording."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.interview.events import AudioFormat
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

Places = Callable[[], Sequence[tuple[float, float]]]
"""Where stretches of a track begin, in its seconds, and when on the interview's clock; rising."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance of the interviewer's, or what was heard of it.

    Attributes:
        audio: Raw samples from its beginning.
        format: Their shape; the rate is known.
        stretches: Where in it playback began or went on, in seconds, and when on the clock; none
            of what was announced and never played.
        heard: Seconds that were heard.
    """

    audio: bytes
    format: AudioFormat
    stretches: Sequence[tuple[float, float]]
    heard: float


class Recorder(Protocol):
    """Keeps the sound of one interview. Nothing here waits or fails."""

    def places_candidate(self, places: Places) -> None:
        """Says where the candidate's audio lies on the clock, whenever it is asked."""
        ...

    def candidate(self, audio: bytes) -> None:
        """Takes the candidate's next 16-bit mono samples at `HEARING_RATE_HZ`."""
        ...

    def interviewer(self, spoken: Spoken) -> None:
        """Takes what the interviewer has said."""
        ...


class _NoRecorder:
    def places_candidate(self, places: Places) -> None:
        pass

    def candidate(self, audio: bytes) -> None:
        pass

    def interviewer(self, spoken: Spoken) -> None:
        pass


NO_RECORDER: Recorder = _NoRecorder()
"""Keeps nothing."""


class Guarded:
    """A recorder whose faults are logged: whatever they are, the interview goes on."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._broken = False

    def places_candidate(self, places: Places) -> None:
        """Says where the candidate's audio lies on the clock, whenever it is asked."""
        self._recorder.places_candidate(places)

    def candidate(self, audio: bytes) -> None:
        """Takes the candidate's next samples; with a piece missing the rest would be misplaced."""
        if self._broken:
            return
        try:
            self._recorder.candidate(audio)
        except Exception as error:  # noqa: BLE001 - no fault of it may end the interview
            self._broken = True
            log(_logger, logging.ERROR, "candidate not recorded", cause=error)

    def interviewer(self, spoken: Spoken) -> None:
        """Takes what the interviewer has said."""
        try:
            self._recorder.interviewer(spoken)
        except Exception as error:  # noqa: BLE001 - no fault of it may end the interview
            log(_logger, logging.ERROR, "utterance not recorded", cause=error)
