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


class Table:
    """A table of plain dictionaries: every value of every tick is remembered."""

    def __init__(self, columns: list[str], empty: dict[str, object]) -> None:
        self.columns = columns
        self.empty = empty
        self.tick = 0
        self.open: dict[str, dict[str, object]] = {}
        self.sealed: dict[str, dict[str, object]] = {}
        self.ticks: dict[str, dict[str, int]] = {}
        self.reborn: set[str] = set()
        self.tombstones: list[tuple[int, str]] = []

    def add(self, key: str, values: dict[str, object]) -> None:
        if key in self.open:
            raise ValueError(key)
        self.open[key] = self.empty | values

    def remove(self, key: str) -> None:
        del self.open[key]
        if key in self.sealed:
            self.reborn.add(key)

    def set_row(self, key: str, values: dict[str, object]) -> None:
        self.open[key] |= values

    def seal(self) -> int:
        following = self.tick + 1
        moved = False
        for key in self.reborn:
            del self.sealed[key], self.ticks[key]
            self.tombstones.append((following, key))
            moved = True
        self.reborn.clear()
        for key, row in self.open.items():
            if key not in self.sealed:
                self.ticks[key] = dict.fromkeys(self.columns, following)
                moved = True
            for name, value in row.items():
                if key in self.sealed and self.sealed[key][name] != value:
                    self.ticks[key][name] = following
                    moved = True
            self.sealed[key] = dict(row)
        if moved:
            self.tick = following
        return self.tick
