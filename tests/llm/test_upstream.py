"""Who gets a place at a model server elsewhere, and who is told at once that there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.llm.upstream import Upstream
from services.runtime.batching import Priority
from services.runtime.errors import DeadlineExpired, Overloaded


async def settle() -> None:
    """Lets every task run until it waits for something that is not there."""
    for _ in range(10):
        await asyncio.sleep(0)


class Crowd:
    """Requests that stay at the server until they are told to leave."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.entered: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    async def add(
        self,
        name: str,
        *,
        caller: str = "",
        priority: Priority = Priority.INTERACTIVE,
        seconds: float | None = None,
    ) -> None:
        self._leave[name] = asyncio.Event()
        now = asyncio.get_running_loop().time()

        async def stay() -> None:
            deadline = None if seconds is None else now + seconds
            async with self.upstream.place(caller=caller, priority=priority, deadline=deadline):
                self.entered.append(name)
                await self._leave[name].wait()

        self.tasks[name] = asyncio.create_task(stay())
        await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
            await self.tasks[name]
            await settle()

    async def drain(self) -> None:
        for event in self._leave.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def order(requests: Sequence[tuple[str, str, Priority]]) -> list[str]:
    """Who of (name, caller, class) gets the one place after the other, all having waited for it."""
    crowd = Crowd(Upstream(1, 100))
    await crowd.add("first")
    for name, caller, priority in requests:
        await crowd.add(name, caller=caller, priority=priority)
    for _ in requests:
        await crowd.leave(crowd.entered[-1])
    await crowd.drain()
    return crowd.entered[1:]


async def test_no_more_are_at_the_server_than_it_has_places() -> None:
    crowd = Crowd(Upstream(2, 100))
    for name in "abc":
        await crowd.add(name)
    assert crowd.entered == ["a", "b"]
    await crowd.leave("a")
    assert crowd.entered == ["a", "b", "c"]
    await crowd.drain()


async def test_the_most_urgent_class_goes_first() -> None:
    classes = [Priority.BATCH, Priority.SPECULATIVE, Priority.PREVIEW, Priority.INTERACTIVE]
    found = await order([(priority.name, "", priority) for priority in classes])
    assert found == ["INTERACTIVE", "PREVIEW", "SPECULATIVE", "BATCH"]


async def test_callers_of_a_class_take_turns() -> None:
    requests = [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b")]
    found = await order([(*request, Priority.INTERACTIVE) for request in requests])
    assert found == ["a1", "b1", "a2", "b2", "a3"]


async def test_more_than_may_wait_are_refused_with_a_time_to_come_back() -> None:
    crowd = Crowd(Upstream(1, 1))
    await crowd.add("a")
    await crowd.add("b")
    await crowd.add("c")
    with pytest.raises(Overloaded) as refused:
        await crowd.tasks["c"]
    assert refused.value.retry_after > 0
    await crowd.drain()
    assert crowd.entered == ["a", "b"]


async def test_who_would_be_late_is_refused_at_once_and_who_would_not_is_let_in() -> None:
    crowd = Crowd(Upstream(1, 100))
    await crowd.add("a")
    await crowd.add("late", seconds=0.01)
    with pytest.raises(Overloaded):
        await crowd.tasks["late"]
    await crowd.add("patient", seconds=60)
    await crowd.leave("a")
    assert crowd.entered == ["a", "patient"]
    await crowd.drain()


async def test_an_idle_server_is_never_too_busy() -> None:
    crowd = Crowd(Upstream(1, 1))
    await crowd.add("slow")
    await crowd.drain()
    crowd.upstream._learn(100.0)
    await crowd.add("short", seconds=0.5)
    assert crowd.entered == ["slow", "short"]
    await crowd.drain()


async def test_a_pause_holds_all_and_refuses_those_it_outlasts() -> None:
    crowd = Crowd(Upstream(5, 100))
    crowd.upstream.pause(0.05)
    await crowd.add("hurried", seconds=0.01)
    with pytest.raises(Overloaded) as refused:
        await crowd.tasks["hurried"]
    assert 0 < refused.value.retry_after <= 0.05
    await crowd.add("patient", seconds=30)
    assert crowd.entered == []
    async with crowd.upstream.place(caller="", priority=Priority.BATCH, deadline=None):
        assert crowd.entered == ["patient"]
    await crowd.drain()


async def test_who_gives_up_leaves_no_place_taken() -> None:
    crowd = Crowd(Upstream(1, 100))
    await crowd.add("a")
    await crowd.add("gone")
    crowd.tasks["gone"].cancel()
    await settle()
    await crowd.add("c")
    await crowd.leave("a")
    assert crowd.entered == ["a", "c"]
    crowd.tasks["c"].cancel()
    await settle()
    await crowd.add("d")
    assert crowd.entered == ["a", "c", "d"]
    await crowd.drain()


async def test_a_deadline_that_passes_in_the_queue_ends_the_wait() -> None:
    crowd = Crowd(Upstream(1, 100))
    await crowd.add("a")
    await crowd.add("b", seconds=0.2)
    with pytest.raises(DeadlineExpired):
        await crowd.tasks["b"]
    await crowd.drain()
