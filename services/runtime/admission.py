"""How long work will take at today's speed: what admission decides by."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Batch costs have to differ by about this part of their mean before the line follows them.
_ASSUMED_SPREAD = 0.1
_ALARM = 3
# On a machine in turmoil a doubled prediction is the most to refuse work by.
_MOST_CAUTION = 1.0


@dataclass(slots=True)
class SpeedModel:
    """Batch time as a straight line over batch cost, fitted with fading memory.

    time = fixed + slope · cost, by exponentially weighted least squares. A batch's fixed part
    (kernel launches, padding) is what batching saves, so one average would refuse bursts that a
    full batch serves well. `decay` is the weight the past keeps at each new batch.

    How far predictions miss is kept as their mean deviation, as TCP does with its round trips
    (Jacobson & Karels 1988): an average alone is late half of the time.
    """

    decay: float = 0.9
    _weight: float = 0.0
    _cost: float = 0.0
    _time: float = 0.0
    _cost_cost: float = 0.0
    _cost_time: float = 0.0
    _deviation: float = 0.0
    _line: tuple[float, float] = (0.0, 0.0)

    def observe(self, cost: float, seconds: float) -> None:
        """Learns from a finished batch of this total cost."""
        predicted = self.seconds(cost, 1)
        if predicted > 0:
            miss = seconds / predicted - 1
            # A machine that has just become slower is believed sooner than one that recovers.
            haste = _ALARM if miss > self._deviation else 1
            self._deviation += haste * (1 - self.decay) * (min(1.0, abs(miss)) - self._deviation)
        self._weight = self._weight * self.decay + 1
        self._cost = self._cost * self.decay + cost
        self._time = self._time * self.decay + seconds
        self._cost_cost = self._cost_cost * self.decay + cost * cost
        self._cost_time = self._cost_time * self.decay + cost * seconds
        # Fitted once a batch: admission asks for every submission that waits.
        self._line = self._fitted()

    @property
    def known(self) -> bool:
        """Whether any batch was seen."""
        return self._weight > 0

    def seconds(self, cost: float, batches: int) -> float:
        """Time of `batches` batches of `cost` together, in seconds; 0 while nothing is known."""
        if not self.known:
            return 0.0
        fixed, slope = self._line
        return batches * fixed + slope * cost

    def at_most(self, cost: float, batches: int) -> float:
        """A time, in seconds, that `batches` batches of `cost` together seldom exceed.

        Misses of several batches make up for one another, by the square root of their number.
        """
        if not batches:
            return 0.0
        caution = min(_MOST_CAUTION, 4 * self._deviation / math.sqrt(batches))
        return self.seconds(cost, batches) * (1 + caution)

    def cost_within(self, seconds: float) -> float:
        """The cost of a batch that takes this long; 0 when even an empty one takes longer."""
        if not self.known:
            return math.inf
        fixed, slope = self._line
        if fixed >= seconds:
            return 0.0
        return (seconds - fixed) / slope if slope else math.inf

    def _fitted(self) -> tuple[float, float]:
        """The fixed part in seconds, and seconds per unit of cost."""
        mean_cost = self._cost / self._weight
        mean_time = self._time / self._weight
        variance = self._cost_cost / self._weight - mean_cost**2
        covariance = self._cost_time / self._weight - mean_cost * mean_time
        # Batches of one size tell only their sum. Until sizes differ, half of it is taken as fixed;
        # without that (a ridge) noise among batches of like size would tilt the line anywhere.
        doubt = (_ASSUMED_SPREAD * mean_cost) ** 2
        halved = mean_time / mean_cost / 2 if mean_cost else 0.0
        slope = (covariance + doubt * halved) / (variance + doubt) if doubt else 0.0
        slope = min(max(slope, 0.0), 2 * halved)
        return mean_time - slope * mean_cost, slope
