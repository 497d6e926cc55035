"""A voice that hangs is missed before the line that is due, and a slow one is not given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.interview.conversation import events as m
from services.interview.events import Remedy, ServiceDegraded, UtteranceStarted
from services.interview.record import Phase
from tests.interview.stage import FAST, stage
from tests.interview.test_degradation import ANSWER, patiently, run

PATIENT = replace(FAST, first_audio=2.5, quiet=120.0)


def test_a_voice_that_hangs_is_told_of_while_the_candidate_still_answers() -> None:
    async def main() -> None:
        async with stage(pace=PATIENT, follow_ups=0, rounds=3) as s:
            s.join()
            await s.play_out(Phase.OPENING)
            s.synthesiser.hangs = never = asyncio.Event()
            await s.play_out(Phase.QUESTION)
            # What comes after the first question is wanted from here on, and nobody waits for it.
            told = await patiently(s, ServiceDegraded, 10.0)
            assert (told.service, told.remedy) == ("tts", Remedy.READ_TEXT)
            never.set()
            s.synthesiser.hangs = None
            back = await patiently(s, ServiceDegraded, 10.0)
            assert (back.service, back.recovered) == ("tts", True)
            s.seat.send(m.Typed(ANSWER))
            assert (await patiently(s, UtteranceStarted)).format is not None

    run(main())


def test_a_voice_that_takes_its_time_for_every_line_is_not_told_of() -> None:
    async def main() -> None:
        async with stage(pace=PATIENT, follow_ups=0, rounds=3) as s:
            s.synthesiser.takes = 1.2
            s.join()
            await s.to_first_question()
            s.seat.send(m.Typed(ANSWER))
            await s.play_out(Phase.QUESTION)
            await asyncio.sleep(30.0)
            told = [entry.event for entry in s.conversation.chronicle.journal.after(0)]
            assert not [event for event in told if isinstance(event, ServiceDegraded)]

    run(main())


class Held(dict[str, asyncio.Event]):
    """Gates that never open, of the lines about the second question."""

    def __contains__(self, text: object) -> bool:
        return "number 2" in str(text)

    def __missing__(self, text: str) -> asyncio.Event:
        return asyncio.Event()


def test_one_line_that_does_not_come_is_no_fault_of_the_voice() -> None:
    async def main() -> None:
        async with stage(pace=PATIENT, follow_ups=0) as s:
            s.synthesiser.gates = Held()
            s.join()
            await s.to_first_question()
            await asyncio.sleep(10.0)
            assert any("number 2" in text for text in s.synthesiser.texts)
            told = [entry.event for entry in s.conversation.chronicle.journal.after(0)]
            assert not [event for event in told if isinstance(event, ServiceDegraded)]

    run(main())


def test_a_voice_is_never_tried_with_the_same_twice() -> None:
    """What was said before comes from a cache, also where the engine hangs."""

    async def main() -> None:
        async with stage(pace=PATIENT, follow_ups=0) as s:
            s.synthesiser.broken = True
            s.join()
            await asyncio.sleep(30.0)
            tried = [text for text in s.synthesiser.texts if text.rstrip(".").isdigit()]
            assert len(tried) > 2
            assert len(set(tried)) == len(tried)

    run(main())
