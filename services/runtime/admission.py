"""How long work will take at today's speed: what admission decides by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SpeedModel:
    """Batch time as a straight line over batch cost, fitted with fading memory.

    time = fixed + slope · cost, by exponentially weighted least squares. A batch's fixed part
    (kernel launches, padding) is what batching saves, so one average would refuse bursts that a
    full batch serves well. `decay` is the weight the past keeps at each new batch.
    """

    decay: float = 0.9
    _weight: float = 0.0
    _cost: float = 0.0
    _time: float = 0.0
    _cost_cost: float = 0.0
    _cost_time: float = 0.0

    def observe(self, cost: float, seconds: float) -> None:
        """Learns from a finished batch of this total cost."""
        self._weight = self._weight * self.decay + 1
        self._cost = self._cost * self.decay + cost
        self._time = self._time * self.decay + seconds
        self._cost_cost = self._cost_cost * self.decay + cost * cost
        self._cost_time = self._cost_time * self.decay + cost * seconds

    @property
    def known(self) -> bool:
        """Whether any batch was seen."""
        return self._weight > 0

    def seconds(self, cost: float, batches: int) -> float:
        """Time of `batches` batches of `cost` together, in seconds; 0 while nothing is known."""
        if not self.known:
            return 0.0
        fixed, slope = self._line()
        return batches * fixed + slope * cost

    def _line(self) -> tuple[float, float]:
        mean_cost = self._cost / self._weight
        mean_time = self._time / self._weight
        variance = self._cost_cost / self._weight - mean_cost**2
        if variance <= (0.05 * mean_cost) ** 2:
            # Batches of one size tell only their sum; half of it is taken as fixed.
            half = mean_time / 2
            return half, (half / mean_cost if mean_cost else 0.0)
        covariance = self._cost_time / self._weight - mean_cost * mean_time
        slope = min(max(covariance / variance, 0.0), mean_time / mean_cost)
        return mean_time - slope * mean_cost, slope
