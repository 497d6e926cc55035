"""Traffic on a scheduler in virtual time, and what becomes of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.runtime.batching import BatchScheduler, Priority
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded
from tests.runtime import virtual_time

SIZE = 16
"""Most items in a batch."""

Shape = Callable[[int], float]

FIXED: dict[str, tuple[float, float, float]] = {
    # Seconds a batch and an item take, and by what factor a batch may be slower or quicker.
    "flat": (0.4, 0.0, 1.0),
    "linear": (0.02, 0.03, 1.0),
    "noisy": (0.1, 0.02, 3.0),
}


@dataclass(frozen=True)
class Model:
    """How long batches take: fixed + each · items, times or divided by up to `noise`."""

    fixed: float
    each: float
    noise: float = 1.0

    def seconds(self, items: int) -> float:
        """Before noise."""
        return self.fixed + self.each * items

    @property
    def mean(self) -> float:
        """The mean factor of noise, which is log-uniform."""
        import math

        n = self.noise
        return 1.0 if n == 1 else (n - 1 / n) / (2 * math.log(n))

    def capacity(self, workers: int = 1) -> float:
        """Items a second in full batches."""
        return workers * SIZE / (self.seconds(SIZE) * self.mean)


MODELS = {
    "flat": Model(0.4, 0.0),
    "linear": Model(0.02, 0.03),
    "noisy": Model(0.1, 0.02, 3.0),
}


@dataclass(frozen=True)
class Traffic:
    """Requests of several callers.

    Attributes:
        name: What it is called in the results.
        rate: Items a second, all callers together.
        within: Seconds to the deadline.
        priority: The class.
        callers: How many.
        items: A request has from 1 to so many items, of one key.
        burst: Requests come in bunches of about so many.
    """

    name: str
    rate: float
    within: float
    priority: Priority = Priority.INTERACTIVE
    callers: int = 4
    items: int = 4
    burst: int = 1


@dataclass
class Outcome:
    """What became of one kind of traffic; counts are items."""

    answered: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    hopeless: int = 0
    late: int = 0
    excused: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def late_share(self) -> float:
        """Late items among the accepted ones, but for those that a stall excuses."""
        accepted = self.answered.total() + self.late
        return self.late / accepted if accepted else 0.0

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
        size: int = SIZE,
    ) -> None:
        self.model = model
        self.keys = keys
        self.workers = workers
        self.size = size
        self.chance = random.Random(seed)
        self.outcomes: dict[str, Outcome] = {}
        self.stalled: list[tuple[float, float]] = []
        self._stalls = list(stalls)
        self._stall = stall
        self.batches: list[int] = []

    def model_run(self, items: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        now = asyncio.get_running_loop().time()
        seconds = self.model.seconds(len(items))
        seconds *= self.model.noise ** self.chance.uniform(-1, 1)
        if self._stalls and now >= self._stalls[0]:
            self._stalls.pop(0)
            self.stalled.append((now, now + seconds + self._stall))
            seconds += self._stall
        virtual_time.spend(seconds)
        self.batches.append(len(items))
        return items

    async def play(self, *traffics: Traffic, seconds: float) -> None:
        scheduler = BatchScheduler(
            self.model_run,
            name="t",
            max_batch_size=self.size,
            max_queue=100_000,
            key=lambda item: item[0],
            workers=self.workers,
        )
        async with scheduler, asyncio.TaskGroup() as group:
            self.scheduler = scheduler
            for size in (1, 8):  # a server warms up
                await scheduler.submit_all([(0, n) for n in range(size)])
            for traffic in traffics:
                self.outcomes[traffic.name] = Outcome()
                group.create_task(self._send(group, traffic, seconds))

    async def _send(self, group: asyncio.TaskGroup, traffic: Traffic, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        every = (1 + traffic.items) / 2 / traffic.rate
        chance = random.Random(self.chance.random())
        while True:
            await asyncio.sleep(chance.expovariate(1 / (every * traffic.burst)))
            if loop.time() > until:
                return
            for _ in range(traffic.burst):
                caller = f"{traffic.name}-{chance.randrange(traffic.callers)}"
                key, items = chance.randrange(self.keys), chance.randint(1, traffic.items)
                group.create_task(self._request(traffic, caller, key, items))

    async def _request(self, traffic: Traffic, caller: str, key: int, items: int) -> None:
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
            outcome.answered[caller] += items
            outcome.latencies.append(loop.time() - now)
        except Overloaded:
            outcome.refused += items
        except DeadlineTooShort:
            outcome.hopeless += items
        except DeadlineExpired:
            # Nobody knows that a stall will go on for longer than it has.
            if any(s <= due and now <= e and now - s < due - now for s, e in self.stalled):
                outcome.excused += items
            else:
                outcome.late += items

    def run(self, *traffics: Traffic, seconds: float) -> dict[str, Outcome]:
        virtual_time.run(self.play(*traffics, seconds=seconds))
        return self.outcomes
