"""Traffic on a scheduler in virtual time, and what becomes of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.runtime.batching import BatchScheduler, Priority
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded
from tests.runtime import virtual_time

SIZE = 16
"""Most items in a batch."""
WARM_UP = 1 / 3
"""The part of a run in which the queue builds up; what is served in it does not count."""


@dataclass(frozen=True)
class Model:
    """How long batches take: fixed + each · items seconds, times a factor drawn for each batch.

    Attributes:
        fixed: Seconds of any batch.
        each: Seconds an item adds.
        noise: Draws the factor.
        mean: Its mean.
        again: Seconds that an item adds beside that if it is hard, which nobody knows beforehand.
        hard: The part of items that are.
    """

    fixed: float
    each: float
    noise: Callable[[random.Random], float] = lambda _: 1.0
    mean: float = 1.0
    again: float = 0.0
    hard: float = 0.0

    @property
    def turn(self) -> float:
        """Seconds of a full batch, on average."""
        return self.expected(SIZE)

    def expected(self, items: int) -> float:
        """Seconds of a batch, on average."""
        return (self.fixed + items * (self.each + self.hard * self.again)) * self.mean

    def drawn(self, items: int, chance: random.Random) -> float:
        """Seconds of one batch."""
        hard = sum(chance.random() < self.hard for _ in range(items)) if self.hard else 0
        return (self.fixed + items * self.each + hard * self.again) * self.noise(chance)


@dataclass(frozen=True)
class Traffic:
    """Requests of several callers: Poisson, or one as soon as the last is answered.

    Attributes:
        name: What it is called in the results.
        rate: Items a second, all callers together; at 0 each caller sends requests of `items` one
            after the other, and tries again a twentieth of `within` after a refusal.
        within: Seconds to the deadline.
        priority: The class.
        callers: How many.
        items: A request has from 1 to so many items, of one key.
        burst: So many requests come at a time.
    """

    name: str
    rate: float
    within: float
    priority: Priority = Priority.INTERACTIVE
    callers: int = 4
    items: int = 6
    burst: int = 1


@dataclass
class Outcome:
    """What became of one kind of traffic; counts are items.

    Attributes:
        answered: In time, by caller.
        steady: Of these, those after the warm-up and before the end of the run.
        refused: As too much for now.
        hopeless: As too much for any time.
        late: Accepted, and not answered in time.
        excused: Late because of a stall nobody could know of.
        latencies: Seconds of each answered request.
    """

    answered: Counter[str] = field(default_factory=Counter)
    steady: int = 0
    refused: int = 0
    hopeless: int = 0
    late: int = 0
    excused: int = 0
    latencies: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """Of the latencies, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Simulation:
    """A scheduler, its model and its callers."""

    def __init__(
        self,
        model: Model,
        *,
        keys: int = 1,
        workers: int = 1,
        stalls: Sequence[float] = (),
        stall: float = 3.0,
        seed: int = 0,
    ) -> None:
        """Takes when batches stall, each once, and for how many seconds."""
        self.outcomes: dict[str, Outcome] = {}
        self.scheduler: BatchScheduler[tuple[int, int], tuple[int, int]] = BatchScheduler(
            self._run,
            name="t",
            max_batch_size=SIZE,
            max_queue=100_000,
            key=lambda item: item[0],
            workers=workers,
        )
        self._model = model
        self._keys = keys
        self._workers = workers
        self._chance = random.Random(seed)
        self._seconds = 0.0
        self._to_stall = list(stalls)
        self._stall = stall
        self._stalled: list[tuple[float, float]] = []
        self._expected = self._drawn = model.turn

    def play(
        self, *traffics: Traffic, seconds: float, then: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Outcome]:
        """Plays traffic for so many seconds, and to its end; `then` asks the idle server."""
        self._seconds = seconds
        virtual_time.run(self._play(traffics, then))
        return self.outcomes

    @property
    def late_share(self) -> float:
        """Late items among the accepted ones."""
        late = sum(o.late for o in self.outcomes.values())
        answered = sum(o.answered.total() for o in self.outcomes.values())
        return late / max(1, late + answered)

    @property
    def goodput(self) -> float:
        """Items answered in time, over what full batches one after another would do.

        That is what no scheduler can exceed: a server that knew all arrivals beforehand and never
        ran a batch that is not full, at the noise there was, while it does not stall.
        """
        start = WARM_UP * self._seconds
        stalled = sum(max(0.0, min(e, self._seconds) - max(s, start)) for s, e in self._stalled)
        seconds = self._workers * (self._seconds - start) - stalled
        noise = self._drawn / self._expected
        steady = sum(o.steady for o in self.outcomes.values())
        return steady / (seconds * SIZE / (self._model.turn * noise))

    def _run(self, items: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        seconds = self._model.drawn(len(items), self._chance)
        self._drawn += seconds
        self._expected += self._model.expected(len(items))
        now = asyncio.get_running_loop().time()
        if self._to_stall and now >= self._to_stall[0]:
            del self._to_stall[0]
            seconds += self._stall
            self._stalled.append((now, now + seconds))
        virtual_time.spend(seconds)
        return items

    async def _play(
        self, traffics: Sequence[Traffic], then: Callable[[], Awaitable[None]] | None
    ) -> None:
        async with self.scheduler:
            for size in (1, 8):  # a server warms up
                await self.scheduler.submit_all([(0, n) for n in range(size)])
            async with asyncio.TaskGroup() as group:
                for traffic in traffics:
                    self.outcomes[traffic.name] = Outcome()
                    if traffic.rate:
                        group.create_task(self._send(group, traffic))
                        continue
                    for caller in range(traffic.callers):
                        group.create_task(self._send_in_turn(traffic, f"{traffic.name} {caller}"))
            if then is not None:
                await then()

    async def _send(self, group: asyncio.TaskGroup, traffic: Traffic) -> None:
        loop = asyncio.get_running_loop()
        requests = traffic.rate / ((1 + traffic.items) / 2) / traffic.burst
        # Of its own: the same traffic comes in the same way whatever else there is.
        chance = random.Random(f"{traffic.name} {self._seconds}")
        while True:
            await asyncio.sleep(chance.expovariate(requests))
            if loop.time() > self._seconds:
                return
            for _ in range(traffic.burst):
                caller = f"{traffic.name} {chance.randrange(traffic.callers)}"
                key, items = chance.randrange(self._keys), chance.randint(1, traffic.items)
                group.create_task(self.request(traffic, caller, key, items))

    async def _send_in_turn(self, traffic: Traffic, caller: str) -> None:
        outcome = self.outcomes[traffic.name]
        loop = asyncio.get_running_loop()
        while loop.time() < self._seconds:
            answered = outcome.answered[caller]
            await self.request(traffic, caller, 0, traffic.items)
            if outcome.answered[caller] == answered:
                await asyncio.sleep(traffic.within / 20)

    async def request(self, traffic: Traffic, caller: str, key: int, items: int) -> None:
        """Sends one request and counts what becomes of it."""
        outcome = self.outcomes[traffic.name]
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + traffic.within
        try:
            await self.scheduler.submit_all(
                [(key, n) for n in range(items)],
                caller=caller,
                priority=traffic.priority,
                deadline=due,
            )
        except Overloaded:
            outcome.refused += items
        except DeadlineTooShort:
            outcome.hopeless += items
        except DeadlineExpired:
            if self._is_excused(now, due):
                outcome.excused += items
            else:
                outcome.late += items
        else:
            outcome.answered[caller] += items
            outcome.latencies.append(loop.time() - now)
            if WARM_UP * self._seconds < loop.time() <= self._seconds:
                outcome.steady += items

    def _is_excused(self, accepted: float, due: float) -> bool:
        """Whether a stall came that had not lasted as long as the request had time left.

        What began just now may end any moment; nobody can know that it will not.
        """
        return any(
            start <= due and accepted <= end and accepted - start < due - accepted
            for start, end in self._stalled
        )
