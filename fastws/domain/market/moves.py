"""What moved: a token's price over 1 m, 5 m, 1 h and 24 h, its volatility and its trend.

Owns the samples of one token. Prices are floats here: these figures are in hundredths of a per
cent, and nothing is bought by them. Knows no table and no clock; samples come every `STEP`
seconds.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

__all__ = ["STEP", "WINDOWS", "Moves", "Trend"]

STEP: Final = 5
"""Seconds between two samples of a token."""

WINDOWS: Final = {"change_1m": 60, "change_5m": 300, "change_1h": 3600}
"""Seconds over which a change is told."""

LONG: Final = 900
"""Seconds between two samples of the last 24 hours."""

SHORT: Final = 3600 // STEP
DAY: Final = 86_400 // LONG

FAST, SLOW, QUIET = (1 - math.exp(-STEP / seconds) for seconds in (30.0, 300.0, 600.0))
"""Weights of a sample in averages that forget with 30 s, 5 m and 10 m."""

SETTLED: Final = 24
MOST_LEARNED: Final = 16.0
"""Times the usual square of a move that one move counts at most, once that is known."""

Trend = int
"""0 flat, 1 up, 2 down: the fast average of the price lies beyond the slow one by more than
`TREND` usual steps."""

TREND: Final = 14.0
"""A random walk gets that far from itself about once in a hundred steps."""
HYSTERESIS: Final = 0.5
"""A trend ends when the averages come closer than this part of what began it."""


class Moves:
    """The recent past of one token."""

    __slots__ = ("_day", "_fast", "_short", "_slow", "_taken", "_variance", "trend")

    def __init__(self) -> None:
        self._short = array("d", bytes(8 * (SHORT + 1)))  # 0: not known
        self._day = array("d", bytes(8 * (DAY + 1)))
        self._taken = 0
        self._fast = self._slow = self._variance = 0.0
        self.trend: Trend = 0

    def seed(self, closes: Sequence[tuple[int, float]], now: int, step: int) -> None:
        """Fill in what is known of before: (begin, close) of candles of ``step`` seconds, oldest
        first. Where no candle is the price did not change."""
        ring, spacing = (self._day, LONG) if step >= LONG else (self._short, STEP)
        for (time, price), (following, _) in pairwise((*closes, (now, 0.0))):
            for at in range(time + step, following + step, spacing):
                back = (now - at) // spacing
                if 0 <= back < len(ring) - 1:
                    ring[-1 - back] = price

    def sample(self, price: float) -> None:
        """The price now, ``STEP`` seconds after the last sample."""
        last = self._short[(self._taken - 1) % len(self._short)]
        self._short[self._taken % len(self._short)] = price
        if self._taken % (LONG // STEP) == 0:
            self._day[self._taken // (LONG // STEP) % len(self._day)] = price
        self._taken += 1
        log = math.log(price)
        if not last or not self._fast:
            self._fast = self._slow = log
            return
        move = log - math.log(last)
        square = move * move
        if self._taken > SETTLED:  # what is unusual must not become usual at once
            square = min(square, MOST_LEARNED * self._variance)
        self._variance += max(QUIET, 1 / self._taken) * (square - self._variance)
        self._fast += FAST * (log - self._fast)
        self._slow += SLOW * (log - self._slow)
        self._turn()

    def _turn(self) -> None:
        lead, usual = self._fast - self._slow, TREND * self.volatility
        direction = 1 if lead > 0 else 2
        if abs(lead) > usual > 0:
            self.trend = direction
        elif self.trend and (abs(lead) < usual * HYSTERESIS or direction != self.trend):
            self.trend = 0

    @property
    def volatility(self) -> float:
        """The usual move of the log price in one step."""
        return math.sqrt(self._variance)

    def before(self, seconds: int) -> float:
        """The price so long ago (at most an hour); 0 while that is not known."""
        back = seconds // STEP
        return self._short[(self._taken - 1 - back) % len(self._short)]

    def change(self, seconds: int, price: float) -> float | None:
        """Per cent since then."""
        then = self.before(seconds)
        return None if not then else (price / then - 1) * 100

    def change_24h(self, price: float) -> float | None:
        """Per cent since a day ago, to a quarter of an hour."""
        newest = (self._taken - 1) // (LONG // STEP)
        then = self._day[(newest - DAY) % len(self._day)]
        return None if not then else (price / then - 1) * 100
