"""A fan-out: who is served, in which order, and what happens to those who cannot be."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fastws._core.fanout import Fanout, Lane
from fastws._core.follower import Follower
from fastws._core.line import Cork, Line
from fastws._core.table import Column, Table
from fastws._core.view import View
from tests.core import oracle
from tests.fakes import frames_of


class Reader:
    """A line that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.line = Line(Cork(lambda step: None), self.written.extend)

    def read(self) -> list[bytes]:
        self.line.flush()
        found = [payload for _, payload in frames_of(bytes(self.written))]
        self.written.clear()
        return found


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["publish", "begin"]), st.just(0)),
        st.tuples(
            st.sampled_from(["add", "remove", "full", "drain", "pause", "resume"]),
            st.integers(0, 5),
        ),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_a_stream_is_given_to_who_stands_before_it(operations: list[tuple[str, int]]) -> None:
    """Compared with the readable twin: who got which offsets."""
    compiled, twin = Fanout(), oracle.Fanout()
    readers = [Reader() for _ in range(6)]
    lanes = [Lane(reader.line) for reader in readers]
    twins = [oracle.Lane() for _ in range(6)]
    got: list[list[bytes]] = [[] for _ in range(6)]
    inside: set[int] = set()
    offset = 0
    for what, which in operations:
        if what == "publish":
            offset += 1
            message = b"%d" % offset
            assert compiled.publish(message, offset) == twin.publish(message, offset)
        elif what == "begin":
            compiled.begin()
            compiled.go_on(0.0, 0)
        elif what == "add" and which not in inside:
            inside.add(which)
            compiled.add(lanes[which])
            twin.add(twins[which])
            lanes[which].live = twins[which].live = True
            lanes[which].cursor = twins[which].cursor = offset
        elif what == "remove":
            inside.discard(which)
            compiled.remove(lanes[which])
            twin.remove(twins[which])
        elif what in ("full", "drain"):
            readers[which].line.full = twins[which].full = what == "full"
        elif what in ("pause", "resume"):
            lanes[which].paused = twins[which].paused = what == "pause"
        assert len(compiled) == len(inside)
        behind = {lanes.index(lane) for lane in compiled.waiting(offset)}
        assert behind == {twins.index(lane) for lane in twin.waiting(offset)}
    for at, reader in enumerate(readers):
        reader.line.full = False
        got[at] += reader.read()
    assert got == [lane.got for lane in twins]
    assert compiled.skipped == twin.skipped


@given(st.integers(1, 30), st.integers(1, 40), st.data())
def test_a_pass_serves_everybody_once_however_it_is_sliced(
    count: int, most: int, data: st.DataObject
) -> None:
    table = Table("t", [Column("price", "decimal")])
    table.add("a", price=(1, 0))
    table.seal(1.0)
    view = View(table)
    fanout = Fanout()
    readers = [Reader() for _ in range(count)]
    lanes = []
    for reader in readers:
        lane = Lane(reader.line, Follower(view, 1, "t", keys={"a"}))
        fanout.add(lane)
        lane.live = True
        fanout.catch_up(lane, 1.0)
        assert len(reader.read()) == 1
        lanes.append(lane)
    table.set_row("a", {"price": (2, 0)})
    table.seal(2.0)
    fanout.begin()
    gone: set[int] = set()
    while True:
        made = fanout.go_on(2.0, most)
        if made < most:
            break
        which = data.draw(st.integers(0, count - 1))
        if which not in gone:
            gone.add(which)
            fanout.remove(lanes[which])
    for at, reader in enumerate(readers):
        assert len(reader.read()) <= 1
        if at not in gone:
            assert lanes[at].follower.synced == table.tick  # type: ignore[union-attr]


def test_laggards_come_last_and_oldest_first() -> None:
    table = Table("t", [Column("price", "decimal")])
    table.add("a", price=(1, 0))
    table.seal(1.0)
    view = View(table)
    fanout = Fanout()
    lanes = []
    for _ in range(4):
        line = Line(Cork(lambda step: None), lambda data: None)
        lane = Lane(line, Follower(view, 1, "t", keys={"a"}))
        fanout.add(lane)
        lane.live = True
        fanout.catch_up(lane, 1.0)
        line.flush()
        lanes.append(lane)
    for tick in range(2, 6):
        table.set_row("a", {"price": (tick, 0)})
        table.seal(float(tick))
        lanes[0].line.full = tick >= 3
        lanes[2].line.full = tick >= 2
        fanout.begin()
        fanout.go_on(float(tick), 100)
        for lane in lanes:
            lane.line.flush()
    lanes[0].line.full = lanes[2].line.full = False
    table.set_row("a", {"price": (9, 0)})
    table.seal(6.0)
    served = []
    fanout.begin()
    while fanout.go_on(6.0, 1):
        served += [n for n, lane in enumerate(lanes) if n not in served and lane.line.corked]
        for lane in lanes:
            lane.line.flush()
    assert served == [1, 3, 2, 0]


def test_who_comes_and_goes_between_passes_costs_nobody_his_place() -> None:
    """All ways of two who come and go. A lane that was moved into a hole, when a pass was over,
    once took itself for another: when it left, that one was served no more."""
    for operations in itertools.product(("pass", 0, 1), repeat=7):
        table = Table("t", [Column("price", "decimal")])
        table.add("a", price=(1, 0))
        table.seal(0.0)
        view = View(table)
        fanout = Fanout()
        here: dict[object, tuple[Lane, Follower]] = {}
        for what in (*operations, "pass"):
            if what == "pass":
                table.set_row("a", {"price": (table.tick + 5, 0)})
                table.seal(0.0)
                fanout.begin()
                fanout.go_on(0.0, 1000)
                assert all(one.synced == table.tick for _, one in here.values()), operations
            elif what in here:
                lane, follower = here.pop(what)
                fanout.remove(lane)
                follower.close()
            else:
                follower = Follower(view, 1, "t")
                lane = Lane(Reader().line, follower)
                fanout.add(lane)
                lane.live = True
                here[what] = lane, follower
            assert len(fanout) == len(here)
