"""How long batches take: learnt from those that ran, with the best remembered for good."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

CAUTION = 2.5
"""Forecasts allow for so many standard deviations: hardly any accepted work may be late."""

# The weight that the past keeps at each new batch, in the line and in its deviation.
_DECAY = 0.95
_STEADY = 0.97
# Before any prediction was tested: they are taken to miss by this part, as if so many had shown it.
_UNSEEN_DEVIATION = 0.3
_UNSEEN = 4.0
# Batch costs have to differ by about this part of their mean before the line follows them.
_ASSUMED_SPREAD = 0.1
# A batch that takes more than this many times what was predicted is a stall, which says nothing
# about the next one, if there was none in the last dozen or two. Otherwise it is how the model
# works, on content that is hard now and then, and believed up to this factor.
_BELIEVED = 3.0
_RARE = 0.5
# A batch this many times as quick as any that was no larger says that all before it ran on another
# machine: on one that was busy with something else from the start.
_ANOTHER_MACHINE = 2.0
# Half of what was slower than the best is forgotten in so many seconds without a batch.
_HALF_LIFE = 20.0


@dataclass(slots=True)
class Speed:
    """Batch time as a straight line over batch cost, fitted with fading memory.

    seconds = fixed + slope · cost, by exponentially weighted least squares. A batch's fixed part
    (kernel launches, padding) is what batching saves, so one average would refuse bursts that a
    full batch serves well. How far predictions miss is kept as the deviation of seconds over
    prediction.

    Attributes:
        known: Whether any batch was seen.
    """

    known: bool = False
    _weight: float = 0.0
    _cost: float = 0.0
    _time: float = 0.0
    _cost_cost: float = 0.0
    _cost_time: float = 0.0
    _variance: float = _UNSEEN_DEVIATION**2
    _seen: float = _UNSEEN
    _fixed: float = 0.0
    _slope: float = 0.0
    _last: float = -math.inf
    _stalls: float = 0.0
    _best: dict[int, tuple[float, float]] = field(default_factory=dict)

    def observe(self, cost: float, seconds: float, now: float) -> None:
        """Learns from a finished batch of this total cost; `now` is on any steady clock."""
        self.age(now)
        self._last = now
        size = math.frexp(cost)[1]
        smaller = (least for of, least in self._best.values() if of <= cost)
        if seconds * _ANOTHER_MACHINE < min(smaller, default=0.0):
            self._begin_anew()
        best = self._best.get(size)
        if best is None or seconds / cost < best[1] / best[0]:
            self._best[size] = (cost, seconds)
        predicted = self.seconds(cost)
        if predicted > 0:
            rare = self._stalls < _RARE
            stalled = seconds > _BELIEVED * predicted
            self._stalls = self._stalls * _DECAY + stalled
            if stalled and rare:
                return
            seconds = min(seconds, _BELIEVED * predicted)
            miss = seconds / predicted - 1
            self._seen = min(self._seen + 1, 1 / (1 - _STEADY))
            self._variance += (miss * miss - self._variance) / self._seen
        self._weight = self._weight * _DECAY + 1
        self._cost = self._cost * _DECAY + cost
        self._time = self._time * _DECAY + seconds
        self._cost_cost = self._cost_cost * _DECAY + cost * cost
        self._cost_time = self._cost_time * _DECAY + cost * seconds
        self.known = True
        self._fit()

    def age(self, now: float) -> None:
        """Forgets slowness that nothing has confirmed for a while: refused work never would."""
        idle = now - self._last
        if not self.known or idle <= 1.0:
            return
        self._last = now
        typical = self._time / self._weight
        best = self.quickest(self._cost / self._weight)
        kept = 0.5 ** (idle / _HALF_LIFE)
        scale = kept + (1 - kept) * best / typical if typical > 0 else 1.0
        self._time *= scale
        self._cost_time *= scale
        self._fit()

    def seconds(self, cost: float) -> float:
        """Seconds that a batch of this cost takes; 0 while nothing is known."""
        return self._fixed + self._slope * cost

    @property
    def deviation(self) -> float:
        """Standard deviation of a batch's time, as a part of the prediction."""
        return math.sqrt(self._variance)

    @property
    def doubt(self) -> float:
        """Standard deviation of the prediction itself, as a part of it."""
        return self.deviation * math.sqrt((1 - _DECAY) / (1 + _DECAY))

    def quickest(self, cost: float) -> float:
        """Seconds in which a batch of this cost can be done, by the best ones ever seen."""
        seen = (seconds * max(1.0, cost / of) for of, seconds in self._best.values())
        return min(self.seconds(cost), *seen) if self._best else 0.0

    def cost_within(self, seconds: float) -> float:
        """The cost of a batch that takes this long; 0 when even an empty one takes longer."""
        if self._fixed > seconds:
            return 0.0
        return (seconds - self._fixed) / self._slope if self._slope > 0 else math.inf

    def _begin_anew(self) -> None:
        """Forgets all but the best."""
        self._weight = self._cost = self._time = self._cost_cost = self._cost_time = 0.0
        self._variance, self._seen, self._stalls = _UNSEEN_DEVIATION**2, _UNSEEN, 0.0
        self._fixed = self._slope = 0.0

    def _fit(self) -> None:
        mean_cost = self._cost / self._weight
        mean_time = self._time / self._weight
        variance = self._cost_cost / self._weight - mean_cost**2
        covariance = self._cost_time / self._weight - mean_cost * mean_time
        # Batches of one size tell only their sum. Until sizes differ, half of it is taken as fixed;
        # without that (a ridge) noise among batches of like size would tilt the line anywhere.
        doubt = (_ASSUMED_SPREAD * mean_cost) ** 2
        halved = mean_time / mean_cost / 2
        slope = (covariance + doubt * halved) / (variance + doubt)
        self._slope = min(max(slope, 0.0), 2 * halved)
        self._fixed = mean_time - self._slope * mean_cost
