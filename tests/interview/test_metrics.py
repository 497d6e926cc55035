"""What an operator sees of interviews: how many there are, what they wait for, what failed them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import REGISTRY

from services.interview.conversation import events as m
from services.interview.events import CandidateTurn, ServiceDegraded
from services.interview.store.postgres import PostgresStore
from services.runtime.postgres.database import Server, open_database
from tests.interview.stage import FailingStore, stage
from tests.interview.test_degradation import ANSWER, patiently, run
from tests.interview.test_store_faults import failure


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"viva_{name}", labels) or 0.0


def test_sessions_are_counted_as_long_as_they_are_driven() -> None:
    before = value("interview_sessions")

    async def main() -> None:
        async with stage() as one, stage() as other:
            one.join()
            other.join()
            await one.to_first_question()
            assert value("interview_sessions") == before + 2
        assert value("interview_sessions") == before

    run(main())


def test_a_session_that_waits_for_the_store_is_counted_until_it_goes_on() -> None:
    waiting, told = (
        value("interview_sessions_waiting"),
        value("interview_degradations_total", service="store"),
    )

    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join()
            await s.to_first_question()
            store.broken = True
            s.seat.send(m.Typed(ANSWER))
            await patiently(s, ServiceDegraded)
            await asyncio.sleep(10.0)
            assert value("interview_sessions_waiting") == waiting + 1
            assert value("interview_degradations_total", service="store") == told + 1
            store.broken = False
            await patiently(s, CandidateTurn)
            assert value("interview_sessions_waiting") == waiting
            store.broken = True
            s.seat.send(m.Typed(ANSWER))
            await patiently(s, ServiceDegraded)
        # It is over while it waits.
        assert value("interview_sessions_waiting") == waiting

    run(main())


def test_what_the_candidate_is_told_is_counted_once_by_service() -> None:
    before = value("interview_degradations_total", service="tts")

    async def main() -> None:
        async with stage() as s:
            s.synthesiser.broken = True
            s.join()
            await patiently(s, ServiceDegraded)
            await asyncio.sleep(10.0)
            s.synthesiser.broken = False
            while not (await patiently(s, ServiceDegraded)).recovered:
                pass
            assert value("interview_degradations_total", service="tts") == before + 1

    run(main())


async def test_what_a_database_does_not_do_is_counted_by_operation(tmp_path: Path) -> None:
    labels = {"operation": "find", "reason": "STORE_LOST"}
    before = value("store_failures_total", **labels)
    nowhere = Server("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    async with open_database(nowhere, 2.0) as database:
        assert await failure(PostgresStore(database).find("ann", "0" * 32)) == "STORE_LOST"
    assert value("store_failures_total", **labels) == before + 1
