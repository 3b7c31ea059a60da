"""Why the table is compiled: sources set thousands of cells a second, seals compare them."""

from __future__ import annotations

import itertools
from typing import Any

from fastws._core.table import Column, Table

ROWS = 2000
COLUMNS = [Column(name, "decimal") for name in ("price", "change", "volume")]


def made() -> Table:
    table = Table("t", COLUMNS)
    for number in range(ROWS):
        table.add(str(number), price=(10**7, -7), change=(0, -2), volume=(10**6, 0))
    table.seal(0.0)
    return table


def test_set_decimal(benchmark: Any) -> None:
    table, number = made(), itertools.count()
    benchmark(lambda: table.set_decimal(7, 0, next(number), -7))


def test_set_row_of_three(benchmark: Any) -> None:
    table, number = made(), itertools.count()

    def run() -> None:
        n = next(number)
        table.set_row("7", {"price": (n, -7), "change": (n, -2), "volume": (n, 0)})

    benchmark(run)


def test_seal_four_hundred_changed(benchmark: Any) -> None:
    table, number = made(), itertools.count()

    def change() -> None:
        n = next(number)
        for row in range(0, ROWS, 5):
            table.set_decimal(row, 0, n, -7)

    benchmark.pedantic(lambda: table.seal(0.0), setup=change, rounds=500)
