"""The way in of the candidate's audio: counted, placed on the clock, recorded, recognised."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter

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
from services.interview.conversation.intake import ACKNOWLEDGED_SECONDS, Intake
from services.interview.conversation.pace import Pace
from services.interview.conversation.recogniser_watch import BYTES_PER_SECOND
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
        # Where the audio that is heard stands in the client's: from a place in the one on, by how
        # much it is behind the other. They differ by what was skipped, and said in a pause.
        self._behind = [(0.0, received)]
        # The place up to which it was acknowledged.
        self._settled = 0.0
        # And that up to which every turn is stored.
        self._stored = 0.0
        self.owed = False
        """Whether something was heard that is not stored: it may be wanted again."""
        recorder.places_candidate(self._timeline.places)
        # Joins that are not carried out yet, and the audio that came behind the first of them.
        self._joins = 0
        self._early: list[bytes] = []
        self._lost_until = 0.0

        async def heard(event: SpeechEvent) -> None:
            self.owed = True  # until it was lived through
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

    def unneeded(self, said_until: float) -> tuple[float, float]:
        """Up to where the audio is not needed again, in its seconds, and where on the clock.

        So it is once the turns are stored that were `said_until` then.
        """
        place = self.hearing.end_of_turn(said_until)
        if place is None or (until := self._of_client(place)) <= self.intake.told:
            return self.intake.told, self._timeline.at(self._settled)
        return until, self._timeline.at(place)

    def stored(self, said_until: float) -> None:
        """The turns are stored that were `said_until` then, on the clock."""
        self._stored = max(self._stored, self.hearing.end_of_turn(said_until) or 0.0)

    def acknowledge(self, least: float = 0.0) -> bool:
        """Tells how far the audio is not needed again, if that is `least` seconds more; whether.

        While something of it is under way, or waits to be stored, not beyond the last turn that is:
        who takes the interview up after this process has only what clients send once more.
        """
        if self.owed:
            news = self.intake.acknowledge(self._of_client(self._stored), least)
            if news:
                self._settled = max(self._settled, self._stored)
            return news
        settled, received = self.hearing.settled, self.intake.received
        if self._chronicle.interview.state is not State.LIVE and not self._joins:
            until = received
        else:
            until = min(received, self._of_client(settled))
        # Nobody has any more what a client that is gone for good has sent.
        news = self.intake.acknowledge(max(until, self._lost_until), least)
        if news:
            self._settled = max(self._settled, settled)
        return news

    def _of_client(self, place: float) -> float:
        """Where in the client's audio a place of the heard one lies."""
        following = bisect_right(self._behind, place, key=itemgetter(0))
        return place + self._behind[max(0, following - 1)][1]

    def _fall_behind(self, seconds: float) -> None:
        """So much of the client's audio is not heard."""
        place, behind = self._behind[-1]
        now = self._timeline.received
        if place == now:
            self._behind.pop()
        self._behind.append((now, behind + seconds))

    def hear(self, audio: bytes) -> None:
        """Takes the candidate's 16-bit mono samples at `HEARING_RATE_HZ`; ignored unless live."""
        state = self._chronicle.interview.state
        if self._joins and not state.over:
            self._early.append(audio)
        elif state is State.LIVE:
            self._recorder.candidate(audio)
            self.hearing.hear(audio)
        else:
            self._fall_behind(len(audio) / BYTES_PER_SECOND)

    def taken(self) -> None:
        """A chunk was taken, and heard."""
        self.acknowledge(ACKNOWLEDGED_SECONDS)

    def skip(self, seconds: float) -> None:
        """The candidate's audio has a gap of so many seconds here."""
        if seconds > 0:
            self._fall_behind(seconds)
            if self._chronicle.interview.state is State.LIVE:
                self._timeline.skip(seconds)

    def expect_join(self, *, anew: bool) -> None:
        """A client is there; its audio waits until `joined` says that the interview goes on.

        `anew`: it has seen nothing of the interview, and has none of its audio.
        """
        self._joins += 1
        if anew:
            self._lost_until = self.intake.received

    def joined(self) -> None:
        """A join was carried out."""
        self._joins -= 1
        if not self._joins:
            early, self._early = self._early, []
            for audio in early:
                self.hear(audio)
        self.acknowledge()
