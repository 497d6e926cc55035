"""The candidate's running stretch of speech, from its first sound to its final text."""

from __future__ import annotations

from services.interview.clients.seams import PartialHeard, ProbablyEnded, SpeechBegan, TurnEnded


class RunningSpeech:
    """What is known of the stretch that runs, or ran last.

    Attributes:
        number: Counts the stretches.
        under_way: Whether it has begun, and its final text has not come.
        words: Whether words were heard in it, by a stream that still works.
        eager_at: When it had probably ended, on the interview's clock.
        so_far: It as it was understood last, for want of a final text.
        overdue: Whether its final text is waited for no longer.
    """

    def __init__(self) -> None:
        self.number = 0
        self.under_way = False
        self.words = False
        self.eager_at: float | None = None
        self.so_far: TurnEnded | None = None
        self.overdue = False
        self._lost = False
        self._start = 0.0

    @property
    def awaited(self) -> bool:
        """Whether its final text may come in time."""
        return self.under_way and not self.overdue

    def began(self, event: SpeechBegan) -> bool:
        """A stretch begins; False if it is the one that was lost, heard again."""
        again = self._lost
        self.number += 1
        self._forget()
        self.under_way = True
        if not again:
            self.so_far, self.overdue, self._start = None, False, event.start
        return not again

    def partial(self, event: PartialHeard, now: float) -> None:
        """This was understood up to now."""
        text = event.stable + event.unstable
        if text.strip():
            self.words = True
            if self.under_way:
                self.so_far = TurnEnded(text, (), self._start, now)

    def probably_ended(self, event: ProbablyEnded, now: float) -> None:
        """It has probably ended."""
        self.eager_at = now
        if event.text.strip():
            self.so_far = TurnEnded(event.text, event.words, event.start, event.end)

    def went_on(self) -> None:
        """It had not ended."""
        self.eager_at = None

    def lose(self) -> None:
        """Its stream broke: the next may hear it again."""
        self._forget()
        self._lost = True

    def over(self) -> float | None:
        """Its final text has come, or will not; when it had probably ended."""
        eager_at = self.eager_at
        self._forget()
        self.under_way, self.so_far, self.overdue = False, None, False
        return eager_at

    def _forget(self) -> None:
        self.words = self._lost = False
        self.eager_at = None
