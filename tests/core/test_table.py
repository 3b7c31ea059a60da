"""The compiled table against its twin, and the traps it must not fall into."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastws._core import table as core
from fastws._core.table import Column, Table
from tests.core import oracle

COLUMNS = [
    Column("price", "decimal"),
    Column("count", "int"),
    Column("state", "enum"),
    Column("ratio", "float"),
    Column("label", "text"),
]
EMPTY: dict[str, object] = {"price": (0, 0), "count": 0, "state": 0, "ratio": 0.0, "label": ""}

cells = st.fixed_dictionaries(
    {},
    optional={
        "price": st.tuples(st.integers(-(2**40), 2**40), st.integers(-18, 4)),
        "count": st.integers(-(2**53) + 1, 2**53 - 1),
        "state": st.integers(0, 5),
        "ratio": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "label": st.text(max_size=5),
    },
)
keys = st.sampled_from("abcdefgh")


KEEP = 3
"""Tombstones kept in the model, whatever their age."""


class Model(RuleBasedStateMachine):
    """Random operations on both; whatever can be asked has the same answer."""

    def __init__(self) -> None:
        super().__init__()
        self.before = core.TOMBSTONES
        core.TOMBSTONES = KEEP  # type: ignore[misc]
        self.ours = Table("t", COLUMNS, 1)
        self.twin = oracle.Table([column.name for column in COLUMNS], EMPTY, KEEP)
        self.now = 0.0
        self.numbers: dict[str, int] = {}  # of the rows there are
        self.stale: set[int] = set()  # numbers of rows there were
        self.buried: list[tuple[int, int]] = []  # (tick, number) of tombstones
        self.past: dict[int, set[str]] = {}  # the keys there were at a tick

    def teardown(self) -> None:
        core.TOMBSTONES = self.before  # type: ignore[misc]

    @rule(key=keys, values=cells)
    def set_or_add(self, key: str, values: dict[str, object]) -> None:
        if key in self.twin.open:
            self.ours.set_row(key, values)
            self.twin.set_row(key, values)
        else:
            number = self.ours.add(key, **values)
            self.twin.add(key, values)
            assert number not in self.numbers.values(), "two rows of one number"
            held = {row for tick, row in self.buried if tick > self.twin.floor}
            assert number not in held, "reused before its tombstone is gone"
            self.numbers[key] = number
            self.stale.discard(number)

    @precondition(lambda self: self.twin.open)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.twin.open)))
        number = self.numbers.pop(key)
        self.stale.add(number)
        if self.ours.rows().get(key) == number:
            self.buried.append((self.twin.tick + 1, number))
        self.ours.remove(key)
        self.twin.remove(key)

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), mantissa=st.integers(-9, 9), exponent=st.integers(-2, 2))
    def set_by_number(self, data: st.DataObject, mantissa: int, exponent: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.numbers)))
        self.ours.set_decimal(self.numbers[key], 0, mantissa, exponent)
        self.twin.set_row(key, {"price": (mantissa, exponent)})

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), mantissa=st.integers(1, 9))
    def set_by_a_number_that_is_no_more(self, data: st.DataObject, mantissa: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.stale)))
        self.ours.set_decimal(number, 0, mantissa, 0)

    @rule(seconds=st.sampled_from([0.0, 1.0, 61.0]))
    def seal(self, seconds: float) -> None:
        self.now += seconds
        assert self.ours.seal(self.now) == self.twin.seal(self.now)

    @invariant()
    def sealed_values_agree(self) -> None:
        sealed = {key: self.ours.get(key) for key in self.ours.rows()}
        assert repr(sorted(sealed.items())) == repr(sorted(self.twin.sealed.items()))
        assert self.ours.tick == self.twin.tick
        assert self.ours.floor == self.twin.floor
        assert len(self.ours) == len(self.twin.sealed)

    @invariant()
    def ticks_agree(self) -> None:
        for key, ticks in self.twin.ticks.items():
            assert self.ours.rtick(key) == max(ticks.values())
            assert {name: self.ours.ctick(key, name) for name in ticks} == ticks
        for since in range(self.twin.tick + 1):
            changed = {key for key, t in self.twin.ticks.items() if max(t.values()) > since}
            assert set(self.ours.changed(since)) == changed
            assert {key: (m, e) for key, m, e in self.ours.numbers("price", since)} == {
                key: self.twin.sealed[key]["price"]
                for key in self.twin.sealed
                if self.twin.ticks[key]["price"] > since
            }
            gone = [key for tick, _, _, key in self.twin.tombstones if tick > since]
            assert sorted(self.ours.removed(since)) == sorted(gone)

    @invariant()
    def a_difference_makes_any_client_whole(self) -> None:
        """What a client at ``since`` holds, less removed, plus changed, is what there is."""
        self.past[self.ours.tick] = set(self.ours.rows())
        for since, held in self.past.items():
            if since >= self.ours.floor:
                now = (held - set(self.ours.removed(since))) | set(self.ours.changed(since))
                assert now == set(self.ours.rows())


Model.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


def made() -> Table:
    table = Table("t", COLUMNS, 7)
    table.add("a", price=(100, -2), label="x")
    table.seal(0.0)
    return table


def test_what_is_set_is_invisible_until_it_is_sealed() -> None:
    table = made()
    table.set_row("a", {"price": (101, -2)})
    row = table.get("a")
    assert row is not None
    assert row["price"] == (100, -2)
    assert table.seal(0.0) == 2
    assert table.changed(1) == ["a"]


def test_a_value_that_returns_before_the_seal_changed_nothing() -> None:
    table = made()
    table.set_row("a", {"price": (5, 0)})
    table.set_row("a", {"price": (100, -2)})
    assert table.seal(0.0) == 1


def test_a_row_number_is_not_reused_before_its_tombstone_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "TOMBSTONES", 2)
    table = made()
    taken = table.rows()["a"]
    table.remove("a")
    table.seal(0.0)
    assert table.add("b") != taken
    for name in "cd":
        table.add(name)
        table.seal(0.0)
        table.remove(name)
        table.seal(0.0)
    assert table.floor == 0, "still young"
    table.seal(61.0)
    assert table.floor == 2, "raised to the tick of the tombstone that was dropped"
    assert table.add("e") == taken


def test_who_writes_to_the_number_of_a_removed_row_changes_nothing() -> None:
    table = made()
    number = table.add("b")
    table.remove("b")
    table.seal(0.0)
    table.set_decimal(number, 0, 5, 0)
    assert table.seal(0.0) == 1
    assert table.rows() == {"a": 0}
    table.remove("a")
    table.seal(0.0)
    table.set_decimal(0, 0, 6, 0)
    assert table.seal(0.0) == 2
    assert (table.rows(), table.changed(0)) == ({}, [])


def test_a_key_removed_and_added_within_one_tick_is_another_row() -> None:
    table = made()
    old = table.rows()["a"]
    table.remove("a")
    table.add("a", count=3)
    table.seal(0.0)
    assert table.rows()["a"] != old
    assert table.removed(1) == ["a"]
    assert table.get("a") == EMPTY | {"count": 3}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"nothing": 1}, KeyError),
        ({"price": 1.5}, TypeError),
        ({"price": (1, 101)}, ValueError),
        ({"price": (2**70, 0)}, OverflowError),
        ({"count": "x"}, TypeError),
        ({"label": 3}, TypeError),
    ],
)
def test_a_wrong_value_is_refused(values: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        made().set_row("a", values)


def test_wrong_uses_are_refused() -> None:
    table = made()
    with pytest.raises(ValueError, match="already"):
        table.add("a")
    with pytest.raises(KeyError):
        table.remove("none")
    with pytest.raises(IndexError):
        table.set_decimal(99, 0, 1, 0)
    with pytest.raises(ValueError, match="decimal"):
        table.set_decimal(0, 1, 1, 0)
    with pytest.raises(ValueError, match="kind"):
        Column("x", "tea")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same name"):
        Table("t", [Column("a", "int"), Column("a", "int")])
    with pytest.raises(ValueError, match="48"):
        Table("t", [])


def test_thousands_of_rows_keep_their_places() -> None:
    table = Table("t", [Column("n", "int"), Column("s", "text")])
    for number in range(5000):
        assert table.add(f"k{number}", n=number, s=str(number)) == number
    table.seal(0.0)
    assert all(table.get(f"k{n}") == {"n": n, "s": str(n)} for n in range(0, 5000, 97))
