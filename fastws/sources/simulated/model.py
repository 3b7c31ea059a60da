"""The random model of the simulated market: how sectors behave, factors, tails, turns.

Owns the numbers that make the market look like one. Pure: everything random comes from the
generator it is given.
"""

from __future__ import annotations

import math
import random
from typing import Final

from msgspec import Struct

__all__ = [
    "INTERVAL",
    "JUMP",
    "KINDS",
    "MAJORS",
    "SECTORS",
    "Factor",
    "Kind",
    "heavy_tails",
    "make_wheel",
]

DAY: Final = 86_400.0

INTERVAL: Final = 0.1
"""Seconds of the market in one `Simulated.step`."""


class Kind(Struct, frozen=True):
    """How tokens of a sector behave."""

    daily: float
    """Own standard deviation of a day's return."""
    beta: float
    """Share of the market's move that they make."""
    pull: float
    """Per second: how fast they return to their long-run price."""
    color: str


KINDS: Final = {
    "major": Kind(0.03, 1.0, 1 / (20 * DAY), "#9945ff"),
    "stable": Kind(0.002, 0.0, 1 / 120, "#2775ca"),
    "stock": Kind(0.02, 0.3, 1 / (20 * DAY), "#4f5b66"),
    "bridged": Kind(0.06, 0.9, 1 / (5 * DAY), "#627eea"),
    "defi": Kind(0.08, 1.2, 1 / (5 * DAY), "#00c2a8"),
    "game": Kind(0.10, 1.2, 1 / (5 * DAY), "#f5a623"),
    "meme": Kind(0.20, 1.5, 1 / (3 * DAY), "#ff5c8a"),
    "other": Kind(0.10, 1.1, 1 / (5 * DAY), "#8a93a6"),
}
SECTORS: Final = tuple(KINDS)

MAJORS: Final = {
    "SOL": (150.0, 7e10),
    "USDC": (1.0, 3e10),
    "USDT": (1.0, 2e10),
    "BTC": (65_000.0, 4e9),
    "ETH": (3_200.0, 3e9),
    "mSOL": (180.0, 1.5e9),
    "stSOL": (165.0, 4e8),
}
"""Price and capitalisation (US dollars) of the tokens everybody knows."""

REGIMES: Final = ((0.6, 6000), (1.0, 4000), (3.0, 400))
"""Volatility of the market in each regime, and its mean length in steps."""

JUMP: Final = 2e-5
"""Probability that one update is a jump, of half a day's deviation or more."""

COMMON_JUMP: Final = 2e-5
"""Probability that a factor jumps in one step."""


class Factor:
    """A common move: GARCH(1,1) returns under changing regimes, with rare jumps."""

    __slots__ = ("_base", "_left", "_regime", "_rng", "_variance", "level")

    def __init__(self, rng: random.Random, daily: float) -> None:
        self._rng = rng
        self._base = self._variance = daily * daily * INTERVAL / DAY
        self._regime = 0
        self._left = 0
        self.level = 0.0

    def step(self) -> None:
        """Let `INTERVAL` seconds pass: ``level`` (a logarithm) moves."""
        rng = self._rng
        if self._left <= 0:
            self._regime = rng.choices(range(len(REGIMES)), (5, 5, 2))[0]
            self._left = 1 + int(rng.expovariate(1 / REGIMES[self._regime][1]))
        self._left -= 1
        shock = rng.gauss(0.0, 1.0)
        move = shock * math.sqrt(self._variance) * REGIMES[self._regime][0]
        self._variance = 0.005 * self._base + self._variance * (0.975 + 0.02 * shock * shock)
        self._variance = min(self._variance, 30 * self._base)
        if rng.random() < COMMON_JUMP:
            move += rng.choice((-1, 1)) * rng.uniform(0.003, 0.02)
        self.level += move


def heavy_tails(rng: random.Random) -> list[float]:
    """4,096 shocks of Student's t with 4 degrees of freedom: mean 0, variance 1."""
    drawn = []
    for _ in range(2048):
        chi = sum(rng.gauss(0.0, 1.0) ** 2 for _ in range(4))
        shock = abs(rng.gauss(0.0, 1.0)) / math.sqrt(chi / 4)
        drawn.append(min(shock, 12.0))
    size = math.sqrt(sum(shock * shock for shock in drawn) / len(drawn))
    half = [shock / size for shock in drawn]
    return half + [-shock for shock in half]


def make_wheel(rng: random.Random, slots: int) -> list[int]:
    """Slots in shuffled order, each at least once, busy ones up to dozens of times."""
    weights = [1.0 / (slot + 10) ** 0.7 for slot in range(slots)]
    share = 2 * slots / sum(weights)
    wheel = [slot for slot in range(slots) for _ in range(1 + round(weights[slot] * share))]
    rng.shuffle(wheel)
    return wheel
