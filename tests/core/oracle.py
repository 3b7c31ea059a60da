"""Readable twins of the compiled rooms: slow, plain, and what they are compared with."""

from __future__ import annotations

import math


class Bucket:
    """A token bucket as one would explain it."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.level = burst
        self.at: float | None = None

    def _fill(self, now: float) -> None:
        if self.at is not None and now > self.at:
            self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now if self.at is None else max(self.at, now)

    def take(self, now: float, cost: float = 1.0) -> int:
        self._fill(now)
        if self.level >= cost:
            self.level -= cost
            return 0
        missing = min(cost, self.burst) - self.level
        return int(min(2e9, max(1, math.ceil(missing / self.rate * 1000))))

    def remaining(self, now: float) -> float:
        self._fill(now)
        return self.level

    def reset_ms(self, now: float) -> int:
        self._fill(now)
        return int(min(2e9, math.ceil((self.burst - self.level) / self.rate * 1000)))
