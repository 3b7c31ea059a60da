"""Frames as JSON: the same facts, readable."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from fastws._core.encode_json import JsonEncoder
from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View


def made() -> tuple[Table, View, Follower]:
    columns = [Column("price", "decimal"), Column("n", "int"), Column("f", "float")]
    table = Table("t", [*columns, Column("s", "text")], 8)
    view = View(table)
    return table, view, Follower(view, 5, "public.tokens", json=True)


def test_a_snapshot_says_everything_a_reader_needs() -> None:
    table, view, follower = made()
    table.add("SOL", price=(-17120, -2), n=3, f=0.5, s='ü"\\\n')
    table.seal(1764036000.25)
    frame = follower.flush(0.0)
    assert frame is not None
    assert orjson.loads(frame) == {
        "type": "table",
        "channel": "public.tokens",
        "timestamp": "2025-11-25T02:00:00.250Z",
        "epoch": 8,
        "tick": 1,
        "base": 0,
        "snapshot": True,
        "columns": view.describe()["columns"],
        "checksum": view.checksum,
        "rows": [[0, "SOL", [-17120, -2], 3, 0.5, 'ü"\\\n']],
    }


def test_a_delta_names_columns_by_mask_and_what_is_gone() -> None:
    table, _, follower = made()
    for name in "abc":
        table.add(name)
    table.seal(0.0)
    follower.flush(0.0)
    table.set_row("a", {"price": (1, 0), "s": "x"})
    table.remove("b")
    table.seal(1.0)
    follower.flush(0.0, writable=False)
    frame = follower.flush(0.0)
    assert frame is not None
    said = orjson.loads(frame)
    assert (said["base"], said["tick"], said["skipped"]) == (1, 2, 1)
    assert said["rows"] == [[0, 0b1001, [1, 0], "x"]]
    assert said["removed"] == [1]
    assert "snapshot" not in said
    assert "columns" not in said


@given(st.text(max_size=60), st.integers(1 - 2**53, 2**53 - 1))
def test_any_text_and_number_is_json(text: str, number: int) -> None:
    table, _, follower = made()
    table.add(text, s=text, n=number, price=(number, -100))
    table.seal(0.0)
    frame = follower.flush(0.0)
    assert frame is not None
    assert orjson.loads(frame)["rows"] == [[0, text, [number, -100], number, 0.0, text]]


def test_who_joins_later_reads_the_same_chunks() -> None:
    table, view, first = made()
    assert JsonEncoder.__mro__[1].__name__ == "Encoder"
    table.add("a")
    table.seal(0.0)
    first.flush(0.0)
    second = Follower(view, 5, "public.tokens", json=True)
    second.flush(0.0)
    table.set_row("a", {"n": 5})
    table.seal(0.0)
    assert first.flush(0.0) is second.flush(0.0), "followers of everything share the bytes"
