"""Whatever becomes of a recording, the interview goes on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.interview.conversation.events import Typed
from services.interview.events import AudioFormat, Encoding
from services.interview.record import Phase, State
from services.interview.recordings.keys import KeyRing
from services.interview.recordings.recorder import Places, Spoken
from services.interview.recordings.recordings import Recordings
from services.interview.store.memory import MemoryStore
from tests.interview.stage import Stage, stage
from tests.runtime import virtual_time

ANSWER = "I watch the slow queries and then I add an index to the table."


class BrokenRecorder:
    """Fails with whatever it is told."""

    def places_candidate(self, places: Places) -> None:
        pass

    def candidate(self, audio: bytes) -> None:
        raise OSError("no space left")

    def interviewer(self, spoken: Spoken) -> None:
        raise OSError("no space left")


async def cut_before_a_sound(s: Stage) -> None:
    """A question is announced to nobody, and given up as nobody comes."""
    s.join()
    await s.to_first_question()
    s.seat.send(Typed(ANSWER))
    s.attendance.leave(s.seat)
    await asyncio.sleep(30.0)
    assert s.conversation.state.state is State.PAUSED
    s.join(last_seq=s.seen[-1].seq)
    assert (await s.play_out(Phase.QUESTION)).turn.text == ""
    assert (await s.play_out(Phase.QUESTION)).turn.question_id == "q2"


def test_a_line_of_which_nothing_was_played_leaves_nothing_to_record(tmp_path: Path) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as thread:
            kept = Recordings(tmp_path, 1 << 30, thread, MemoryStore(10), KeyRing(KeyRing.new()))
            recorder = kept.recorder("somebody", "interview")
            recorder.interviewer(Spoken(bytes(640), AudioFormat(Encoding.PCM_S16LE, 16000), (), 0))
            async with stage(absence_seconds=5.0, follow_ups=0, recorder=recorder) as s:
                await cut_before_a_sound(s)
            kept.close_all()

    virtual_time.run(asyncio.wait_for(main(), 3600.0))


def test_a_recorder_that_fails_ends_no_interview() -> None:
    async def main() -> None:
        async with stage(absence_seconds=5.0, follow_ups=0, recorder=BrokenRecorder()) as s:
            s.conversation.ears.hear(bytes(640))
            await cut_before_a_sound(s)
            s.conversation.ears.hear(bytes(640))

    virtual_time.run(asyncio.wait_for(main(), 3600.0))
