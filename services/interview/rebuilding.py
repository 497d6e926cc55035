"""A session from what the store kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from services.interview.conversation.clock import InterviewClock
from services.interview.conversation.state import SessionState, UnknownVersionError
from services.interview.events import Entry
from services.interview.record import Interview
from services.runtime.errors import FailedPrecondition

UNREADABLE = "SESSION_VERSION"


def clock_of(interview: Interview, events: Sequence[Entry]) -> InterviewClock:
    """The interview's clock, which goes on as if the process had never changed.

    Wall time bridges what no process has lived through. Where it was set back meanwhile, the clock
    goes on behind the last that is known to have happened: it never runs backwards.
    """
    if interview.started is None:
        return InterviewClock()
    wall = (datetime.now(UTC) - interview.started).total_seconds()
    known = [entry.at for entry in events[-1:]] + [turn.end for turn in interview.turns]
    return InterviewClock(max([wall, *known]))


def rebuilt(state: bytes) -> SessionState | None:
    """The session as it was committed last; None if it never began.

    Raises:
        FailedPrecondition: `UNREADABLE`: another version of the program has written it.
    """
    try:
        return SessionState.from_json(state) if state else None
    except (UnknownVersionError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FailedPrecondition(
            UNREADABLE, "another version of the server has written the interview's session"
        ) from error
