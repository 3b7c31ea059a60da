"""What a cell takes: the rest is tested with the table that owns it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastws._core.cells import Cells, Column
from fastws._core.table import Table

KINDS = ("decimal", "int", "enum", "float", "text")
BIG = 2**53 - 1


def made() -> Table:
    table = Table("t", [Column(kind, kind) for kind in KINDS])  # type: ignore[arg-type]
    table.add("a")
    return table


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("decimal", (BIG, 100)),
        ("decimal", (-BIG, -100)),
        ("decimal", [5, -2]),
        ("int", -BIG),
        ("enum", BIG),
        ("float", 1.5),
        ("float", -0.0),
        ("text", 'ü"\0🐸'),
    ],
)
def test_what_is_set_comes_back(kind: str, value: Any) -> None:
    table = made()
    table.set_row("a", {kind: value})
    table.seal(0.0)
    row = table.get("a")
    assert row is not None
    assert repr(row[kind]) == repr(tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("decimal", (BIG + 1, 0), OverflowError),
        ("decimal", (-BIG - 1, 0), OverflowError),
        ("decimal", (0, 101), ValueError),
        ("decimal", (0,), ValueError),
        ("decimal", "x", ValueError),
        ("int", BIG + 1, OverflowError),
        ("int", 2**70, OverflowError),
        ("enum", -1, OverflowError),
        ("float", math.nan, ValueError),
        ("float", math.inf, ValueError),
        ("float", 1e39, ValueError),
        ("text", "\ud800", UnicodeEncodeError),
        ("text", b"bytes", TypeError),
    ],
)
def test_what_clients_could_not_read_is_refused(kind: str, value: Any, error: type) -> None:
    table = made()
    table.seal(0.0)
    with pytest.raises(error):
        table.set_row("a", {kind: value})
    assert table.seal(0.0) == 1, "and nothing has changed"


def test_a_float_has_32_bits() -> None:
    table = made()
    table.set_row("a", {"float": 0.1})
    table.seal(0.0)
    row = table.get("a")
    assert row is not None
    assert row["float"] == pytest.approx(0.1, rel=1e-7)
    assert row["float"] != 0.1


def test_there_are_1_to_48_columns_with_names_of_their_own() -> None:
    Cells("t", [Column(str(number), "int") for number in range(48)])
    for count in (0, 49):
        with pytest.raises(ValueError, match="1 to 48"):
            Cells("t", [Column(str(number), "int") for number in range(count)])
    with pytest.raises(ValueError, match="same name"):
        Cells("t", [Column("a", "int"), Column("a", "text")])
