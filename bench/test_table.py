"""Costs of a table of 2,000 rows and 3 columns: to set, to seal, to make frames; bytes of a row.

Times that belong to one row are in ``extra_info`` (nanoseconds), so that they can be read
beside the targets of the design: set_row 100 ns, seal 60 ns a changed row, gather 10 ns a
followed row, a laggard's frame of the full list 25 µs.
"""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.frames import Columns, blocks, read
from fastws.client.tables import TableCopy

ROWS = 2000
CHANGED = 400
COLUMNS = [Column(name, "decimal") for name in ("price", "change", "volume")]
COMMON = (("price",), ("price", "change", "volume"))
PRICE, CHANGE, VOLUME = range(3)


def made() -> Table:
    table = Table("t", COLUMNS, 1, COMMON)
    for number in range(ROWS):
        table.add(str(number), price=(10**7, -7), change=(0, -2), volume=(10**6, 0))
    table.seal(0.0)
    return table


class Market:
    """Prices that walk with heavy tails: ``sigma`` of a change, a fifth of the rows a tick."""

    def __init__(self, sigma: float, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.sigma = sigma
        self.table = Table("t", COLUMNS, 1, COMMON)
        rng = self.rng
        self.prices = [rng.randrange(10**7, 10**8) for _ in range(ROWS)]
        self.before = [price * math.exp(rng.gauss(0, 0.05)) for price in self.prices]
        self.volumes = [rng.randrange(10**5, 10**6) for _ in range(ROWS)]
        for row in range(ROWS):
            self.table.add(f"token{row}")
            self.move(row, whole=True)
        self.table.seal(0.0)

    def move(self, row: int, *, whole: bool) -> None:
        """A student's t of three degrees for the price; volume grows by a trade."""
        rng, table = self.rng, self.table
        chi = sum(rng.gauss(0, 1) ** 2 for _ in range(3)) / 3
        step = self.sigma * rng.gauss(0, 1) / math.sqrt(chi)
        self.prices[row] = max(10**6, int(self.prices[row] * math.exp(max(-0.5, min(0.5, step)))))
        table.set_decimal(row, PRICE, self.prices[row], -8)
        if whole:
            ratio = self.prices[row] / self.before[row] - 1
            table.set_decimal(row, CHANGE, round(1e4 * ratio), -2)
            self.volumes[row] += int(rng.paretovariate(1.2) * 10)
            table.set_decimal(row, VOLUME, self.volumes[row], 0)

    def tick(self, *, whole: bool = True) -> None:
        for row in self.rng.sample(range(ROWS), CHANGED):
            self.move(row, whole=whole)
        self.table.seal(0.0)


def per(benchmark: Any, rows: int) -> None:
    """Say what a row costs."""
    benchmark.extra_info["ns_a_row"] = round(benchmark.stats.stats.median * 1e9 / rows, 1)
    print(f"\n{benchmark.name}: {benchmark.extra_info['ns_a_row']} ns a row")


def test_set_decimal(benchmark: Any) -> None:
    table, number = made(), itertools.count()
    benchmark(lambda: table.set_decimal(7, 0, next(number), -7))


def test_set_row_of_three(benchmark: Any) -> None:
    table = made()
    one = {"price": (1, -7), "change": (1, -2), "volume": (1, 0)}
    two = {"price": (2, -7), "change": (2, -2), "volume": (2, 0)}

    def run() -> None:
        table.set_row("7", one)
        table.set_row("7", two)

    benchmark.pedantic(run, rounds=2000, iterations=100)
    per(benchmark, 2)


@pytest.mark.parametrize("followed", [False, True], ids=["alone", "followed"])
def test_seal_four_hundred_changed(benchmark: Any, followed: bool) -> None:
    """``followed``: with hash and chunk of each row. The table is cold in the cache: others ran."""
    market = Market(0.001)
    follower = Follower(View(market.table), 1, "t") if followed else None

    def change() -> None:
        for row in range(0, ROWS, ROWS // CHANGED):
            market.move(row, whole=True)

    benchmark.pedantic(lambda: market.table.seal(0.0), setup=change, rounds=300)
    per(benchmark, CHANGED)
    assert follower is None or follower.base == 0


@pytest.mark.parametrize("rows", [50, 200, 2000])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_gather(benchmark: Any, rows: int, share: float) -> None:
    """The frame of a follower of ``rows`` tokens, all of them or a fifth having changed."""
    table, number = made(), itertools.count(1)
    view = View(table)
    names = random.Random(5).sample(range(ROWS), rows)
    follower = Follower(view, 1, "t", keys=[str(name) for name in names])
    while follower.flush(0.0) is not None:
        pass

    def change() -> None:
        n = next(number)
        for row in range(ROWS):
            if row % 5 == 0 or share == 1.0:
                table.set_decimal(row, PRICE, 10**7 + 37 * n, -7)
                table.set_decimal(row, CHANGE, n, -2)
        table.seal(0.0)

    benchmark.pedantic(lambda: follower.flush(0.0), setup=change, rounds=300)
    per(benchmark, rows)


@pytest.mark.parametrize("behind", [2, 10])
def test_the_full_list_for_a_laggard(benchmark: Any, behind: int) -> None:
    market = Market(0.001)
    view = View(market.table)
    follower = Follower(view, 1, "t")
    while follower.flush(0.0) is not None:
        pass

    def change() -> None:
        for _ in range(behind):
            market.tick()

    benchmark.pedantic(lambda: follower.flush(0.0), setup=change, rounds=100)
    per(benchmark, ROWS)


@pytest.mark.parametrize(
    ("sigma", "whole", "most"),
    [(0.0002, True, 6.2), (0.001, True, 6.2), (0.005, True, 7.0), (0.001, False, 4.0)],
)
def test_bytes_of_a_changed_row(sigma: float, whole: bool, most: float) -> None:
    """Whole frames, heads and ids included, of the full list; a copy proves they are right."""
    market = Market(sigma)
    view = View(market.table)
    follower = Follower(view, 1, "t")
    copy = TableCopy(Columns.told(view.describe()))
    relative = absolute = changed = 0
    late = Follower(view, 1, "t", pace=2)
    for tick in range(200):
        while (made := follower.flush(tick / 10)) is not None:
            (block,) = blocks(made)
            frame = read(block.body, copy.columns)
            copy.apply(frame)
            if not frame.snapshot and frame.relative:
                relative += len(made)
                changed += len(frame.rows)
        while (made := late.flush(tick / 10)) is not None:
            (block,) = blocks(made)
            frame = read(block.body, copy.columns)
            if not frame.snapshot and frame.rows:
                absolute += len(made) * 1.0 / len(frame.rows)
        market.tick(whole=whole)
    size = relative / changed
    print(
        f"\nsigma {sigma}: {size:.2f} bytes a changed row, "
        f"absolute {absolute / 99:.1f}, {'three cells' if whole else 'price alone'}"
    )
    assert copy.checksum() == view.checksum or copy.tick < view.table.tick
    assert size <= most
