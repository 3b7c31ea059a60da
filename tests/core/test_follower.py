"""What a subscription is owed and when; random orders of it are in test_table_model."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fastws._core import follower as core
from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.frames import Columns, Frame, blocks, read
from fastws.client.tables import TableCopy
from fastws.hub.table import pace_of

NAMES = ("price", "label")


def made(rows: int = 3) -> tuple[Table, View]:
    table = Table("t", [Column("price", "decimal"), Column("label", "text")], 9)
    for number in range(rows):
        table.add(f"k{number}", price=(number, 0), label="x" * 50)
    table.seal(0.0)
    return table, View(table)


class Reader:
    """A follower and the client behind it."""

    def __init__(self, view: View, **options: Any) -> None:
        self.follower = Follower(view, 1, "t", **options)
        self.copy = TableCopy(Columns.told(view.describe()))

    def next(self, now: float = 0.0, writable: bool = True) -> Frame | None:
        made = self.follower.flush(now, writable)
        if made is None:
            return None
        (block,) = blocks(made)
        frame = read(block.body, self.copy.columns)
        self.copy.apply(frame)
        return frame

    def all(self, now: float = 0.0) -> list[Frame]:
        frames = []
        while (frame := self.next(now)) is not None:
            frames.append(frame)
        return frames


def test_it_begins_with_a_snapshot_and_goes_on_with_differences() -> None:
    table, view = made()
    reader = Reader(view)
    first = reader.next()
    assert first is not None
    assert (first.snapshot, first.base, first.tick, first.epoch) == (True, 0, 1, 9)
    assert reader.next() is None
    table.set_row("k1", {"price": (5, 0)})
    assert reader.next() is None, "not sealed"
    table.seal(0.0)
    second = reader.next()
    assert second is not None
    assert (second.base, second.tick, second.relative) == (1, 2, True)
    assert [(row.id, row.cells) for row in second.rows] == [(1, (4,))]


def test_pages_stay_below_16_kib_and_a_row_that_changes_meanwhile_is_right() -> None:
    table, view = made(2000)
    reader = Reader(view)
    frames = []
    while (made_one := reader.follower.flush(0.0)) is not None:
        assert len(made_one) <= 16384
        (block,) = blocks(made_one)
        frames.append(read(block.body, reader.copy.columns))
        reader.copy.apply(frames[-1])
        for key in ("k0", "k1999"):
            table.set_row(key, {"price": (len(frames), -1)})
        table.seal(0.0)
        assert reader.follower.more == frames[-1].partial
        if not frames[-1].partial:
            break
    reader.all()
    assert len(frames) > 5
    assert [frame.partial for frame in frames] == [True] * (len(frames) - 1) + [False]
    assert reader.copy.by_key() == {key: table.get(key) for key in table.rows()}


def test_a_row_larger_than_a_page_is_sent_alone() -> None:
    table, view = made(2)
    table.set_row("k0", {"label": "y" * 40_000})
    table.seal(0.0)
    reader = Reader(view)
    assert [len(frame.rows) for frame in reader.all()] == [1, 1]


def test_a_full_socket_is_skipped_and_told() -> None:
    table, view = made()
    reader = Reader(view)
    reader.next()
    for number in range(3):
        table.set_row("k0", {"price": (100 + number, 0)})
        table.seal(0.0)
        assert reader.next(writable=False) is None
    frame = reader.next()
    assert frame is not None
    assert (frame.base, frame.tick, frame.skipped, frame.relative) == (1, 4, 3, False)
    assert reader.copy.by_key()["k0"]["price"] == (102, 0)
    assert reader.follower.skipped == 0


def test_nothing_is_sent_while_paused_and_all_of_it_after() -> None:
    table, view = made()
    reader = Reader(view)
    reader.next()
    reader.follower.paused = True
    table.set_row("k0", {"price": (7, 0)})
    table.seal(0.0)
    assert not reader.follower.due(1e9)
    assert reader.next(1e9) is None
    reader.follower.paused = False
    assert reader.next() is not None


def test_the_base_is_the_tick_of_the_last_frame_not_of_the_last_look() -> None:
    table, view = made()
    reader = Reader(view, keys=["k0"])
    reader.next()
    for number in range(4):
        table.set_row("k1", {"price": (50 + number, 0)})
        table.seal(0.0)
        assert reader.next() is None
    assert (reader.follower.base, reader.follower.synced) == (1, 5)
    table.set_row("k0", {"price": (7, 0)})
    table.seal(0.0)
    frame = reader.next()
    assert frame is not None
    assert (frame.base, frame.tick, frame.relative) == (1, 6, True)


def test_who_has_heard_nothing_for_15_seconds_gets_a_sign_of_life_with_a_checksum() -> None:
    _, view = made()
    reader = Reader(view)
    reader.next(100.0)
    assert reader.next(114.9) is None
    frame = reader.next(115.0)
    assert frame is not None
    assert (frame.rows, frame.removed, frame.checksum) == ((), (), view.checksum)
    assert reader.next(116.0) is None


def test_the_first_frame_and_then_each_sixteenth_has_a_checksum() -> None:
    table, view = made()
    for keys in (None, ["k0"]):
        reader = Reader(view, keys=keys)
        proved = [reader.next() is not None]
        for number in range(64):
            table.set_row("k0", {"price": (1000 + number + len(keys or ()) * 100, 0)})
            table.seal(0.0)
            frame = reader.next()
            assert frame is not None
            proved.append(frame.checksum is not None)
        gaps = [at for at, is_proved in enumerate(proved) if is_proved]
        assert len(gaps) >= 5
        assert max(b - a for a, b in itertools.pairwise(gaps)) <= 16


@pytest.mark.parametrize(
    ("wish", "pace"), [(0, 1), (100, 1), (101, 2), (400, 4), (1000, 16), (60_000, 32)]
)
def test_a_rate_is_rounded_up_to_one_of_six_classes(wish: int, pace: int) -> None:
    assert pace_of(wish, 100) == pace


def test_a_class_is_served_at_its_ticks_and_never_starves_when_the_table_rests() -> None:
    table, view = made()
    reader = Reader(view, pace=4)
    reader.next(0.0)
    sent = []
    for number in range(12):
        table.set_row("k0", {"price": (1000 + number, 0)})
        table.seal(0.0)
        sent.append(reader.next(0.1) is not None)
    assert [table.tick - 11 + at for at, was in enumerate(sent) if was] == [4, 8, 12]
    assert reader.copy.tick == 12, "tick 13 is not of its class"
    assert reader.next(0.8) is None
    assert reader.next(0.91) is not None, "but twice its period is enough"


def test_unknown_keys_are_named_and_followed_once_they_are_there() -> None:
    table, view = made()
    reader = Reader(view, keys=["k0", "new"])
    assert reader.follower.unknown == ["new"]
    reader.next()
    table.add("new", price=(3, 0))
    table.seal(0.0)
    frame = reader.next()
    assert frame is not None
    assert [row.key for row in frame.rows] == ["new"]
    assert reader.follower.unknown == []


def test_a_key_that_moves_to_another_number_is_followed_there() -> None:
    table, view = made()
    reader = Reader(view, keys=["k1"])
    reader.next()
    table.remove("k1")
    table.seal(0.0)
    frame = reader.next()
    assert frame is not None
    assert frame.removed == (1,)
    assert reader.follower.unknown == ["k1"]
    table.add("k1", price=(8, 0))
    table.seal(0.0)
    reader.next()
    assert reader.copy.by_key()["k1"]["price"] == (8, 0)


def test_another_filter_sends_what_is_new_and_names_what_left() -> None:
    _, view = made()
    reader = Reader(view, keys=["k0", "k1"])
    reader.next()
    reader.follower.follow(["k1", "k2"])
    frame = reader.next()
    assert frame is not None
    assert ([row.key for row in frame.rows], frame.removed) == (["k2"], (0,))
    assert frame.checksum == (view.hash_of("k1") + view.hash_of("k2")) & 0xFFFFFFFF
    assert reader.follower.held == [1, 2]


def test_from_some_to_all_and_back_is_a_snapshot() -> None:
    _, view = made()
    reader = Reader(view, keys=["k0"])
    reader.next()
    for keys, count in ((None, 3), (["k1"], 1)):
        reader.follower.follow(keys)
        frame = reader.next()
        assert frame is not None
        assert (frame.snapshot, len(frame.rows)) == (True, count)
        assert reader.follower.all == (keys is None)


def test_a_resume_sends_what_changed_and_rows_that_were_not_held() -> None:
    table, view = made(4)
    old = Reader(view, keys=["k0", "k1"])
    old.next()
    table.set_row("k1", {"price": (77, 0)})
    table.remove("k3")
    table.seal(0.0)
    reader = Reader(view, keys=["k0", "k1", "k2"])
    reader.copy = old.copy
    assert reader.follower.resume(9, 1, ["k2"])
    frame = reader.next()
    assert frame is not None
    assert not frame.snapshot
    assert [(row.id, row.key) for row in frame.rows] == [(1, None), (2, "k2")]
    assert frame.removed == (3,), "the first frame of a resume names all tombstones"
    assert frame.checksum is not None
    assert reader.copy.by_key() == {key: table.get(key) for key in ("k0", "k1", "k2")}


@pytest.mark.parametrize(("epoch", "tick", "version"), [(8, 1, 0), (9, 0, 0), (9, 2, 0), (9, 1, 1)])
def test_a_place_that_does_not_exist_is_a_snapshot(epoch: int, tick: int, version: int) -> None:
    _, view = made()
    reader = Reader(view)
    assert not reader.follower.resume(epoch, tick, (), version)
    frame = reader.next()
    assert frame is not None
    assert frame.snapshot


def test_followers_of_everything_share_one_frame_and_many_laggards_one_base(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "LAGGARD_FRAMES", 2)
    table, view = made()
    followers = [Follower(view, 1, "t") for _ in range(8)]
    snapshots = {id(follower.flush(0.0)) for follower in followers}
    assert len(snapshots) == 1
    for number in range(7):
        table.set_row("k0", {"price": (1000 + number, 0)})
        table.seal(0.0)
        followers[number].flush(0.0)
    table.set_row("k0", {"price": (2000, 0)})
    table.seal(0.0)
    columns = Columns.told(view.describe())
    bases = []
    for follower in followers[:6]:
        frame = follower.flush(0.0)
        assert frame is not None
        (block,) = blocks(frame)
        bases.append(read(block.body, columns).base)
    assert bases[:2] == [2, 3]
    assert set(bases[2:]) <= {1, 5, 7}, "9 - 2**k"
    assert all(base <= tick for base, tick in zip(bases, range(2, 8), strict=True))


def test_another_role_sees_other_columns_from_the_beginning() -> None:
    table, view = made()
    some = View(table, ["label"])
    reader = Reader(view)
    reader.next()
    reader.follower.look(some)
    reader.copy = TableCopy(Columns.told(some.describe()))
    frame = reader.next()
    assert frame is not None
    assert frame.snapshot
    assert reader.copy.by_key()["k0"] == {"label": "x" * 50}
    other, _ = made()
    with pytest.raises(ValueError, match="another table"):
        reader.follower.look(View(other))


def test_a_closed_follower_is_told_and_sends_nothing() -> None:
    table, view = made()
    follower = Follower(view, 1, "t", keys=["new"])
    follower.close()
    follower.close()
    table.add("new")
    table.seal(0.0)
    assert follower.held == []
    assert follower.flush(0.0) is None
    with pytest.raises(IndexError):
        follower.adopt(99)
