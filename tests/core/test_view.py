"""Views: which columns, under which numbers, with which share of the checksum."""

from __future__ import annotations

import pytest

from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.tables import cell_hash


def made() -> Table:
    columns = [Column("price", "decimal"), Column("secret", "int"), Column("label", "text")]
    table = Table("t", columns, 1, (("price",), ("price", "secret"), ("secret", "label")))
    table.add("a", price=(5, -2), secret=9)
    table.add("b", price=(7, 0), label="x")
    table.seal(0.0)
    return table


def test_a_view_numbers_its_columns_and_leaves_out_what_it_does_not_show() -> None:
    view = View(made(), ["label", "price"])
    assert [column.name for column in view.columns] == ["price", "label"]
    assert view.describe() == {
        "columns": [{"name": "price", "kind": "decimal"}, {"name": "label", "kind": "text"}],
        "common": [0b01, 0b10],
    }
    assert View(made()).describe()["common"] == [0b001, 0b011, 0b110]


def test_the_checksum_is_the_sum_of_the_rows_and_a_row_the_sum_of_its_cells() -> None:
    table = made()
    early, some = View(table), View(table, ["price"])
    assert some.hash_of("a") == cell_hash(0, 0, 5, -2)
    table.set_row("a", {"price": (6, -3), "secret": -1})
    table.remove("b")
    table.add("c", label="ü")
    table.seal(0.0)
    late = View(table)
    assert some.hash_of("a") == cell_hash(0, 0, 6, -3)
    assert early.checksum == late.checksum
    for view in (early, late, some):
        total = sum(view.hash_of(key) for key in table.rows())
        assert view.checksum == total & 0xFFFFFFFF
    assert early.hash_of("b") == 0
    assert early.hash_of("nobody") == 0


def test_a_change_that_a_view_does_not_show_is_none_in_it() -> None:
    table = made()
    view = View(table, ["label"])
    before = view.checksum
    table.set_row("a", {"secret": 10})
    table.seal(0.0)
    assert view.checksum == before


def test_a_view_of_nothing_and_a_fifth_view_are_refused() -> None:
    table = made()
    with pytest.raises(KeyError):
        View(table, ["price", "none"])
    with pytest.raises(ValueError, match="at most four"):
        View(table, [])
    for _ in range(4):
        View(table)
    with pytest.raises(ValueError, match="at most four"):
        View(table)
    with pytest.raises(KeyError):
        Table("t", [Column("a", "int")], 1, (("b",),))
    with pytest.raises(ValueError, match="three common"):
        Table("t", [Column("a", "int")], 1, (("a",),) * 4)
