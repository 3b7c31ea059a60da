"""A replica: strict about frames, exact about ticks. Random orders are in test_table_model."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws._core.follower import Follower
from fastws._core.replica import Replica, state
from fastws._core.table import Column, Table
from fastws._core.view import View

COLUMNS = [Column("price", "decimal"), Column("n", "int"), Column("e", "enum")]
COLUMNS += [Column("f", "float"), Column("s", "text")]
COMMON = (("price",),)


class Pair:
    """An owner, its line and a replica."""

    def __init__(self) -> None:
        self.owner = Table("t", COLUMNS, 5, COMMON)
        for key in "abc":
            self.owner.add(key, price=(1, 0), s=key)
        self.owner.seal(0.0)
        self.line = Follower(View(self.owner), 1, "t")
        self.replica = Replica("t", COLUMNS, common=COMMON)

    def load(self) -> None:
        assert self.replica.load(state(self.owner), 0.0)
        self.line.resume(self.owner.epoch, self.owner.tick)

    def frame(self, **cells: object) -> bytes:
        self.owner.set_row("a", cells)
        self.owner.seal(0.0)
        frame = self.line.flush(0.0)
        assert frame is not None
        return frame

    def same(self) -> bool:
        one, two = self.owner, self.replica
        return (
            one.rows() == two.rows()
            and all(one.get(key) == two.get(key) for key in one.rows())
            and all(one.rtick(key) == two.rtick(key) for key in one.rows())
            and self.line.view.checksum == two.view.checksum
            and (one.epoch, one.tick) == (two.epoch, two.tick)
        )


def test_it_becomes_the_owner_and_stays_it_frame_by_frame() -> None:
    pair = Pair()
    pair.load()
    assert pair.same()
    for cells in ({"price": (5, 0)}, {"n": -3, "e": 4, "f": 1.5, "s": "ü"}, {"price": (5, -1)}):
        assert pair.replica.apply(5, pair.frame(**cells), 0.0) == "applied"
        assert pair.same()
    pair.owner.remove("b")
    pair.owner.add("d", n=8)
    assert pair.replica.apply(5, pair.frame(n=1), 0.0) == "applied"
    assert pair.same()
    assert pair.replica.removed(3) == ["b"]


def test_old_frames_are_dropped_and_gaps_ask_for_the_state() -> None:
    pair = Pair()
    assert pair.replica.apply(5, pair.frame(n=1), 0.0) == "gap", "of an epoch it knows nothing of"
    pair.load()
    first, second, third = (pair.frame(n=number) for number in (5, 6, 7))
    assert pair.replica.apply(5, second, 0.0) == "gap"
    assert pair.replica.apply(5, first, 0.0) == "applied"
    assert pair.replica.apply(5, first, 0.0) == "old"
    assert pair.replica.apply(4, second, 0.0) == "old"
    assert pair.replica.apply(6, second, 0.0) == "gap"
    assert pair.replica.apply(5, second, 0.0) == "applied"
    assert pair.replica.apply(5, third, 0.0) == "applied"
    assert pair.same()


def test_a_frame_that_jumps_stamps_what_it_names_even_if_the_value_is_the_same() -> None:
    pair = Pair()
    pair.load()
    for number in (2, 1):
        pair.owner.set_row("a", {"price": (number, 0)})
        pair.owner.seal(0.0)
    frame = pair.line.flush(0.0)
    assert frame is not None
    assert pair.replica.apply(5, frame, 0.0) == "applied"
    assert pair.replica.get("a") == pair.owner.get("a")
    assert pair.replica.ctick("a", "price") == 3, "who saw the 2 elsewhere must hear of the 1"


def test_a_state_is_dropped_when_it_is_older() -> None:
    pair = Pair()
    old = state(pair.owner)
    pair.frame(n=1)
    pair.load()
    assert not pair.replica.load(old, 0.0)
    assert pair.same()


def test_followers_begin_again_with_a_new_owner_and_waiters_are_served() -> None:
    pair = Pair()
    pair.load()
    follower = Follower(pair.replica.view, 1, "t", keys=["a", "new"])
    assert follower.flush(0.0) is not None
    renewed = Table("t", COLUMNS, 6, COMMON)
    renewed.add("new", n=1)
    renewed.seal(0.0)
    assert pair.replica.load(state(renewed), 0.0)
    assert follower.flush(0.0) is not None
    assert (follower.epoch, follower.held, follower.unknown) == (6, [0], ["a"])


def test_only_the_owner_writes() -> None:
    pair = Pair()
    pair.load()
    with pytest.raises(TypeError):
        pair.replica.add("x")
    with pytest.raises(TypeError):
        pair.replica.remove("a")
    with pytest.raises(TypeError):
        pair.replica.set_row("a", {})
    with pytest.raises(TypeError):
        pair.replica.set_decimal(0, 0, 1, 0)
    assert pair.replica.seal(0.0) == pair.owner.tick


def test_a_state_of_other_columns_or_cut_short_is_refused() -> None:
    pair = Pair()
    whole = state(pair.owner)
    for bad in (b"", b"fwt1", b"nope" + whole[4:], whole[:-1], whole[:40]):
        with pytest.raises(ValueError):  # noqa: PT011 - many sentences, one meaning
            Replica("t", COLUMNS).load(bad, 0.0)
    with pytest.raises(ValueError, match="other columns"):
        Replica("t", COLUMNS[:2]).load(whole, 0.0)


@given(st.data())
def test_bytes_that_are_no_frame_do_no_more_than_raise(data: st.DataObject) -> None:
    """Frames with some bytes changed, and states too: `ValueError`, a verdict, or a state."""
    pair = Pair()
    pair.load()
    pair.owner.remove("c")
    pair.owner.add("d", s="text")
    pair.owner.set_row("b", {"price": (9, 0), "f": 2.0})
    made = bytearray(pair.frame(n=300, s="long enough"))
    whole = bytearray(state(pair.owner))
    for target in (made, whole):
        for _ in range(data.draw(st.integers(1, 4))):
            target[data.draw(st.integers(0, len(target) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert pair.replica.apply(5, bytes(made), 0.0) in ("applied", "old", "gap")
    with contextlib.suppress(ValueError):
        Replica("t", COLUMNS, common=COMMON).load(bytes(whole), 0.0)
    pair.load()
    assert pair.same(), "and the owner's state makes it whole"
