"""Bytes that the whole list costs a tick: 2,000 tokens of which a fifth changed, as told in binary.

Three markets: the simulated one as the demo runs it, a walk whose every change is a price, a
change and a volume, and, with ``--recording=FILE`` (the format of the source ``replay``), the
prices of that recording, each token beginning elsewhere in it. Beside each, what the same tick
costs as columnar JSON, deflated or not, and as the full list that older clients get.
"""

from __future__ import annotations

import itertools
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.test_table import CHANGE, PRICE, ROWS, VOLUME
from bench.test_table import Market as Walk
from fastws._core.follower import Follower
from fastws._core.table import Table
from fastws._core.view import View
from fastws.client.frames import Columns, blocks, read
from fastws.client.tables import TableCopy
from fastws.domain.market import COLUMNS, TOGETHER, Market
from fastws.sources.replay import read_lines
from fastws.sources.simulated import Simulated

TICKS = 200


class Cost(NamedTuple):
    """Bytes in all ticks, and how many rows they were about."""

    ticks: int
    rows: int
    binary: int
    columnar: int
    deflated: int


def measured(table: Table, tick: Callable[[], None]) -> Cost:
    """What `TICKS` ticks cost whoever follows every row; a copy proves the frames."""
    view = View(table)
    follower = Follower(view, 1, "t")
    copy = TableCopy(Columns.told(view.describe()))
    ticks = rows = binary = columnar = deflated = 0
    for number in range(TICKS + 1):
        while (made := follower.flush(number / 10)) is not None:
            (block,) = blocks(made)
            frame = read(block.body, copy.columns)
            copy.apply(frame)
            if not frame.relative:  # what a newcomer gets
                continue
            ticks += 1
            rows += len(frame.rows)
            binary += len(made)
            text = json.dumps(_columnar(table, frame.base), separators=(",", ":")).encode()
            columnar += len(text)
            deflated += len(zlib.compress(text, 6)) - 6  # without zlib's head and checksum
        if number < TICKS:
            tick()
    assert copy.checksum() == view.checksum
    return Cost(ticks, rows, binary, columnar, deflated)


def _columnar(table: Table, since: int) -> dict[str, list[list[float]]]:
    """Ids and numbers of the cells that changed after ``since``, by column."""
    ids = table.rows()
    found: dict[str, list[list[float]]] = {}
    for column in table.columns:
        cells = [] if column.kind != "decimal" else table.numbers(column.name, since)
        if cells:
            numbers = [float(f"{mantissa}e{exponent}") for _, mantissa, exponent in cells]
            found[column.name] = [[ids[key] for key, _, _ in cells], numbers]
    return found


class Simulation:
    """The demo's market, with every column that the server computes from prices left empty."""

    def __init__(self) -> None:
        self.table = Table("tokens", COLUMNS, 1, common=TOGETHER)
        self.market = Market(self.table, lambda: 0.0)
        self._source = Simulated(self.market, ROWS)
        self._source.start()
        self.table.seal(0.0)

    def tick(self) -> None:
        self._source.step()
        self.table.seal(0.0)


class Recording(Walk):
    """Prices of the trades of a recording: each token is somewhere else in it."""

    def __init__(self, path: Path) -> None:
        found = list(_trades(path))
        self._prices = [price for price, _ in itertools.groupby(found)]
        self._at = [row * len(self._prices) // ROWS for row in range(ROWS)]
        super().__init__(0.001)

    def move(self, row: int, *, whole: bool) -> None:
        self._at[row] = (self._at[row] + 1) % len(self._prices)
        price = self._prices[self._at[row]]
        self.table.set_decimal(row, PRICE, price, -2)
        if whole:
            self.table.set_decimal(row, CHANGE, round(1e4 * (price / self._prices[0] - 1)), -2)
            self.volumes[row] += int(self.rng.paretovariate(1.2) * 10)
            self.table.set_decimal(row, VOLUME, self.volumes[row], 0)


def _trades(path: Path) -> Iterator[int]:
    """Prices in cents."""
    for line in read_lines(path):
        if line is not None and b"@trade" in line[1]:
            yield round(float(json.loads(line[1])["data"]["p"]) * 100)


def run() -> None:
    simulation = Simulation()
    full = len(simulation.market.all_tokens_json())
    walk, walk_alone = Walk(0.001), Walk(0.001)
    costs = {
        "the demo's market, all its figures": measured(simulation.table, simulation.tick),
        "walk: price, change, volume": measured(walk.table, walk.tick),
        "walk: price alone": measured(walk_alone.table, partial(walk_alone.tick, whole=False)),
    }
    for given in (one for one in sys.argv if one.startswith("--recording=")):
        path = Path(given.partition("=")[2])
        both, alone = Recording(path), Recording(path)
        costs["recording: price, change, volume"] = measured(both.table, both.tick)
        costs["recording: price alone"] = measured(alone.table, partial(alone.tick, whole=False))
    print("| market | rows a tick | bytes a row | columnar JSON / binary | deflated | full list |")
    print("|---|---|---|---|---|---|")
    for name, cost in costs.items():
        columnar, deflated = cost.columnar / cost.binary, cost.deflated / cost.binary
        print(
            f"| {name} | {cost.rows / cost.ticks:.0f} | {cost.binary / cost.rows:.2f} "
            f"| {columnar:.1f} | {deflated:.2f} | {full * cost.ticks / cost.binary:.0f} |"
        )
