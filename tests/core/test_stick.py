"""The compiled stick against its twin: what it takes, drops, counts and hands on."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastws._core import stick
from fastws._core.arena import Arena
from fastws._core.limiter import Bucket
from fastws._core.stick import Stick
from tests.core import oracle

Changes = list[tuple[int, int, int, int, bool]]

NAMES = ("applied", "late", "limited", "clamped", "fast")


def packed(seq: int, t: int = 0, throttle: int = 0, turn: int = 0, buttons: int = 0) -> bytes:
    return struct.pack("<BIIbbB", stick.INPUT, seq, t, throttle, turn, buttons)


def made(bucket: Bucket | None = None) -> tuple[Stick, Arena, Changes]:
    changes: Changes = []
    one, arena = Stick(1), Arena(2, 5)
    one.bucket = bucket
    one.begin(arena, changes)
    return one, arena, changes


inputs = st.tuples(
    st.integers(0, 60),
    st.integers(0, 20_000),
    st.integers(-128, 127),
    st.integers(-128, 127),
    st.integers(0, 255),
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.001, 2.0), st.booleans(), inputs), max_size=60))
def test_it_judges_as_its_twin(events: list[tuple[float, bool, tuple[int, ...]]]) -> None:
    fast, arena, changes = made(Bucket(5, 5))
    refusals = []
    fast.on_refused = lambda: refusals.append(1)
    other = oracle.Arena(2, 5)
    slow = oracle.Stick(1, other, oracle.Bucket(5, 5))
    now = 100.0
    for gap, stepped, fields in events:
        now += gap
        data = packed(*fields)
        assert fast.take(data, now) == slow.take(data, now)
        if stepped:
            arena.step()
            other.step()
        assert [getattr(fast, name) for name in NAMES] == [getattr(slow, name) for name in NAMES]
        assert fast.controls == slow.controls
        assert len(refusals) == slow.refusals
    assert changes == slow.changes
    assert arena.planes_now() == other.planes_now()
    assert arena.digest == other.digest


@pytest.mark.parametrize("data", [b"", b"\x10", packed(1)[:-1], packed(1) + b"x", b"\x11" * 12])
def test_what_is_no_input_is_not_taken(data: bytes) -> None:
    one, _, _ = made()
    assert not one.take(data)
    assert (one.applied, one.late, one.limited) == (0, 0, 0)


def test_before_the_match_and_after_it_inputs_are_counted_and_move_nothing() -> None:
    one = Stick(0)
    assert one.put(1.0, 1, 0, 100, 50, True)
    assert one.applied == 1
    assert one.controls == (0, 0, False)
    one, arena, changes = made()
    one.end()
    one.put(1.0, 1, 0, 100, 50, True)
    arena.step()
    assert changes == []
    assert arena.planes_now()[1][9] == 0


def test_another_client_begins_at_any_number() -> None:
    one, _, _ = made()
    one.put(1.0, 1000, 0, 0, 0, False)
    assert not one.put(1.0, 5, 0, 0, 0, False)
    one.renew()
    assert one.put(1.0, 5, 0, 0, 0, False)


def test_a_seat_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        Stick(2).begin(Arena(2, 5), [])


def test_a_recording_ends_when_it_is_long_enough() -> None:
    one, _, changes = made()
    changes.extend([(0, 0, 0, 0, False)] * stick.CHANGES)
    one.put(1.0, 1, 0, 9, 9, True)
    assert len(changes) == stick.CHANGES
    assert one.controls == (9, 9, True)


def test_it_looks_at_the_clock_itself() -> None:
    one, _, _ = made(Bucket(60, 60))
    for seq in range(1000):
        assert one.take(packed(seq))
    assert one.limited >= 1, "it would have to take ten seconds"
    assert one.applied >= 60
    assert one.limited + one.applied == 1000


def test_a_game_without_an_arena_reads_what_was_asked_for() -> None:
    one = Stick(5)
    one.put(1.0, 1, 0, 9, 9, True)
    assert one.read() == (1, 0, 0, False), "before it began nothing counts"
    one.begin()
    one.put(1.0, 2, 0, 100, -50, True)
    one.put(1.0, 3, 0, 90, -40, False)
    assert one.read() == (3, 90, -40, True), "a click between two steps is a shot"
    assert one.read() == (3, 90, -40, False)
    one.put(1.0, 4, 0, 90, -40, True)
    assert one.read()[3]
    assert one.read()[3], "held"
