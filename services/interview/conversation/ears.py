"""The way in of the candidate's audio: counted, placed on the clock, recorded, recognised."""

from __future__ import annotations

from collections.abc import Callable

from services.interview.clients.seams import (
    DependencyFailed,
    HearingConfig,
    Recogniser,
    SpeechEvent,
)
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.clock import AudioTimeline
from services.interview.conversation.events import Failed, Happening, Heard, Worked
from services.interview.conversation.hearing import Hearing
from services.interview.conversation.intake import Intake
from services.interview.conversation.pace import Pace
from services.interview.record import State
from services.interview.recordings.recorder import Recorder


class Ears:
    """Listens to the candidate while the interview is live; `post` takes what comes of it."""

    def __init__(
        self,
        chronicle: Chronicle,
        recogniser: Recogniser,
        recorder: Recorder,
        pace: Pace,
        post: Callable[[Happening], None],
        *,
        received: float = 0.0,
        begins: float | None = None,
    ) -> None:
        """Takes, of an interview that goes on here, up to where its audio was acknowledged.

        `begins` is where on the clock that is.
        """
        self.intake = Intake(chronicle, received)
        self._chronicle = chronicle
        self._recorder = recorder
        self._timeline = AudioTimeline(chronicle.clock, begins)
        self._received = received
        recorder.places_candidate(self._timeline.places)
        # Joins that are not carried out yet, and the audio that came behind the first of them.
        self._joins = 0
        self._early: list[bytes] = []

        async def heard(event: SpeechEvent) -> None:
            post(Heard(event))

        async def failed(failure: DependencyFailed) -> None:
            post(Failed("asr", failure.reason))

        async def recovered() -> None:
            post(Worked("asr"))

        settings = chronicle.interview.settings
        silences = pace.endpointing(settings.patience)
        self.hearing = Hearing(
            recogniser,
            HearingConfig(
                language=settings.language,
                phrase_hints=settings.topics,
                min_silence=silences.min_silence,
                max_silence=silences.max_silence,
            ),
            self._timeline,
            heard=heard,
            failed=failed,
            recovered=recovered,
        )

    @property
    def ahead(self) -> float:
        """Seconds of the candidate's audio beyond what can have been spoken by now."""
        return self._timeline.ahead

    def acknowledged(self) -> tuple[float, float]:
        """Up to where the audio was acknowledged, in its seconds, and where on the clock."""
        told = self.intake.told
        return told, self._timeline.at(max(0.0, told - self._received))

    def hear(self, audio: bytes) -> None:
        """Takes the candidate's 16-bit mono samples at `HEARING_RATE_HZ`; ignored unless live."""
        state = self._chronicle.interview.state
        if self._joins and not state.over:
            self._early.append(audio)
        elif state is State.LIVE:
            self._recorder.candidate(audio)
            self.hearing.hear(audio)

    def skip(self, seconds: float) -> None:
        """The candidate's audio has a gap of so many seconds here."""
        if seconds > 0 and self._chronicle.interview.state is State.LIVE:
            self._timeline.skip(seconds)

    def expect_join(self) -> None:
        """A client is there; its audio waits until `joined` says that the interview goes on."""
        self._joins += 1

    def joined(self) -> None:
        """A join was carried out."""
        self._joins -= 1
        if not self._joins:
            early, self._early = self._early, []
            for audio in early:
                self.hear(audio)
        self.intake.acknowledge()
