"""Whether the recogniser owes an answer, and for how long that is borne before it is tried out.

That someone speaks, or is silent, is found by voice activity: a recogniser whose engine hangs goes
on telling it. Only text, or the end of a turn, shows that the engine works. Where that is missing
while there is speech, a little of the speech is recognised in a call of its own, with a deadline.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.interview.clients.recogniser_speed import RecogniserSpeed
from services.interview.clients.seams import (
    HEARING_RATE_HZ,
    Answered,
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    SpeechEvent,
    TurnEnded,
    WentOn,
)

BYTES_PER_SECOND = 2 * HEARING_RATE_HZ

SILENT_SECONDS = 1.2
"""A server that should notice speech, and tells nothing for so long, is tried out."""
NOTICEABLE_SECONDS = 0.25
"""So much sound that may be speech is something to notice: a "yes" is no longer."""
WORDED_SECONDS = 0.8
"""A turn of so much has words."""
CHECKED_SECONDS = 3.0
"""Who was there, and only notices no speech, is not tried again for so long."""
MOST_DOUBLINGS = 2
"""Who works and finds no words, as in noise, is tried less and less often."""
DEAF_SECONDS = 8.0
"""A stream that answers nothing for so long is given up, even if its server works."""
SAMPLE_SECONDS = 1.5
"""Of speech, to try a recogniser with."""
BEFORE_SECONDS = 0.2
"""Where speech is said to begin it has begun a little before."""
FADING = 0.25
"""Of sound that was followed by quiet so much is forgotten a second."""
ABOVE_FLOOR = 4.0
"""Sound may be speech from so many times the quietest there was, in root mean square: microphones
differ too much for a level that holds for all of them."""
FIRST_FLOOR = 75.0
"""Of 16-bit samples, until there was something quieter."""
LEAST_FLOOR = 8.0
"""Below, it is digital silence; speech is at -60 dBFS or above."""
FLOOR_RISES = 0.1
"""By so much of the difference the quietest is forgotten a second."""


class RecogniserWatch:
    """What a recogniser was given and what it told; `now` in seconds of any steady clock."""

    def __init__(self, now: Callable[[], float], speed: RecogniserSpeed) -> None:
        self._now = now
        self._speed = speed
        self._loud = 0.0
        self._floor = FIRST_FLOOR
        # Sound that should have been noticed, since when.
        self._noticeable_since: float | None = None
        self._heard_at = self._told_at = self._opened_at = 0.0
        self._checked_at = -CHECKED_SECONDS
        # Speech without text, and an end that was asked for, since when.
        self._wordless_since: float | None = None
        self._asked_at: float | None = None
        self._answered_at = 0.0
        # How often it was tried and works: in wordless speech, and in sound it does not notice.
        self._passes = self._unnoticed_passes = 0
        # How many streams in a row have owed an end for too long.
        self._endless = 0
        self._in_turn = False
        # The last speech there was, and sound that may be some; seconds of the audio.
        self._speech: tuple[float, float] | None = None
        self._loud_until = 0.0

    def opened(self, *, asked: bool) -> None:
        """A stream is used from here on; it will be `asked` for the end of a turn, or not."""
        now = self._told_at = self._opened_at = self._now()
        self._asked_at = now if asked else None

    def lost(self) -> None:
        """It is used no more."""
        self._wordless_since, self._in_turn = None, False

    def given_up(self) -> None:
        """It is known not to work."""
        self._noticeable_since = None
        # The next has all of the turn to recognise again: a machine so slow needs longer, not anew.
        self._endless = min(self._endless + 1, MOST_DOUBLINGS) if self.stuck() else 0

    def heard(self, audio: bytes, until: float) -> None:
        """Audio was taken; `until` is where it ends, in seconds of the audio."""
        self._heard_at = self._now()
        seconds = len(audio) / BYTES_PER_SECOND
        if self._is_loud(audio):
            self._loud += seconds
            self._loud_until = until
            if self._noticeable_since is None and self._loud >= NOTICEABLE_SECONDS:
                self._noticeable_since = self._heard_at
        else:
            self._loud = max(0.0, self._loud - FADING * seconds)

    def _is_loud(self, audio: bytes) -> bool:
        """Whether it may be speech."""
        samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)
        level = float(np.sqrt(np.mean(samples * samples))) if samples.size else 0.0
        rise = min(1.0, FLOOR_RISES * len(audio) / BYTES_PER_SECOND) * (level - self._floor)
        self._floor = max(LEAST_FLOOR, min(level, self._floor + max(0.0, rise)))
        return level > ABOVE_FLOOR * self._floor

    @property
    def unnoticed(self) -> bool:
        """Whether there is sound since something was told last."""
        return self._loud > 0.0 or self._noticeable_since is not None

    def asked(self) -> None:
        """The end of the turn was asked for."""
        if self._asked_at is None:
            self._asked_at = self._now()

    def told(self, event: SpeechEvent, base: float) -> bool:
        """The recogniser told something; whether that shows that its engine works.

        `base` is where its stream begins, in seconds of the audio.
        """
        now = self._told_at = self._now()
        self._loud = 0.0
        self._noticeable_since = None
        self._unnoticed_passes = 0
        works = False
        match event:
            case SpeechBegan():
                self._in_turn = True
                self._begins(base + event.start)
            case WentOn():
                self._begins(base + event.start)
            case PauseHeard():
                end = base + event.end
                self._speech = (end - SAMPLE_SECONDS, end)
            case PartialHeard():
                works = True
                self._worked()
                self._wordless_since = now
            case ProbablyEnded():
                works = True
                self._worked()
                self._wordless_since = None
            case TurnEnded():
                self._in_turn = False
                self._asked_at = None
                self._endless = 0
                # What a final text took is what a little speech takes at most.
                self._speed.took(event.finalization)
                # A long one without a word may be noise, or the engine: it is tried.
                works = bool(event.text.strip()) or event.end - event.start < WORDED_SECONDS
                if works:
                    self._worked()
                    self._wordless_since = None
            case Answered():
                self._asked_at = None
        return works

    def _begins(self, start: float) -> None:
        self._speech = (start - BEFORE_SECONDS, start + SAMPLE_SECONDS)
        if self._wordless_since is None:
            self._wordless_since = self._now()

    def _worked(self) -> None:
        now = self._answered_at = self._now()
        self._passes = 0
        if self._wordless_since is not None:
            self._speed.text_after(now - self._wordless_since)

    @property
    def speech(self) -> tuple[float, float]:
        """A little that was said, or sounded as if: from and to, in seconds of the audio."""
        if self._speech is not None and (self._in_turn or self._wordless_since is not None):
            return self._speech
        return self._loud_until - SAMPLE_SECONDS, self._loud_until

    @property
    def patience(self) -> float:
        """Seconds that recognising a little speech may take."""
        return self._speed.patience

    def tried(self, seconds: float, *, busy: bool) -> None:
        """It was tried out, and works; `busy` says that it had no time to show it."""
        self._checked_at = now = self._now()
        # Who had no time is given more at the next try.
        self._speed.took(self.patience if busy else seconds)
        self._passes = min(self._passes + 1, MOST_DOUBLINGS)
        if self._noticeable_since is not None:
            self._noticeable_since = None
            self._unnoticed_passes = min(self._unnoticed_passes + 1, MOST_DOUBLINGS)
        self._wordless_since = now if self._in_turn and self._wordless_since is not None else None

    def suspicious(self) -> bool:
        """Whether it should have told something by now."""
        now = self._now()
        wait = self._speed.wordless * (1 << self._passes)
        if self._asked_for() > wait and now - self._checked_at > wait:
            return True
        if self._wordless_since is not None:
            listens = now - self._heard_at < SILENT_SECONDS
            return listens and now - max(self._wordless_since, self._opened_at) > wait
        if self._noticeable_since is None:
            return False
        silent = now - max(self._noticeable_since, self._told_at) > SILENT_SECONDS
        return silent and now - self._checked_at > CHECKED_SECONDS * (1 << self._unnoticed_passes)

    def deaf(self) -> bool:
        """Whether its stream notices nothing in so much sound that another may."""
        return self._loud > DEAF_SECONDS and self._now() - self._told_at > DEAF_SECONDS

    def stuck(self) -> bool:
        """Whether its stream owes an end for so long that it will not come, server or no server."""
        return self._asked_for() > DEAF_SECONDS * (1 << self._endless)

    def _asked_for(self) -> float:
        """Seconds for which an end of turn is owed, and nothing was told that leads to it."""
        if self._asked_at is None:
            return 0.0
        return self._now() - max(self._asked_at, self._opened_at, self._answered_at)
