"""A stretch of the candidate's recording as one sound, for what is measured in it."""

from __future__ import annotations

from services.interview.record import Speaker
from services.interview.recordings.recordings import Recordings
from services.interview.recordings.track import SAMPLE_BYTES
from services.interview.reports.sound import Sound


async def excerpt(
    recordings: Recordings, user: str, interview_id: str, start: float, end: float
) -> Sound | None:
    """What was recorded between two moments of the interview's clock; None for nothing.

    Where nothing was sent in between there is silence.

    Raises:
        StoreFailed: It is not known which files there are.
    """
    found = await recordings.read(user, interview_id, Speaker.CANDIDATE, start, end)
    if found is None:
        return None
    rate, pieces = found
    begins: float | None = None
    pcm = bytearray()
    async for when, audio in pieces:
        begins = when if begins is None else begins
        place = SAMPLE_BYTES * max(0, round((when - begins) * rate))
        pcm.extend(bytes(max(0, place - len(pcm))))
        pcm.extend(audio)
    return None if begins is None else Sound.of(bytes(pcm), rate, begins)
