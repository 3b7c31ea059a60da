"""Views: rates, repetition, full sockets and frames shared between subscribers."""

from __future__ import annotations

import itertools
import math

import pytest

from fastws.errors import WireError
from fastws.hub import View
from fastws.hub.channel import Subscription
from fastws.hub.view import AT_ONCE
from fastws.wire import Since


class Numbers:
    """A table of one number."""

    epoch = 7

    def __init__(self) -> None:
        self.tick = 3

    def seal(self, now: float) -> int:
        return self.tick


class Reader:
    """A subscriber that keeps what it gets."""

    id = "reader"

    def __init__(self) -> None:
        self.writable = True
        self.got: list[bytes] = []
        self.ended: list[str] = []

    def push(self, frame: bytes, channel: str = "") -> None:
        self.got.append(frame)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        self.ended.append(code)

    def stalled(self) -> None:
        raise AssertionError("a view never stalls a reader")


class Shown:
    """A view of a number with a reader or more."""

    def __init__(self, interval: float = 0.0, at_least: float = math.inf) -> None:
        self.table = Numbers()
        self.asked: list[int] = []
        self.view = View("x/numbers", 1, self.table, self.encode, interval, at_least=at_least)

    def encode(self, since: int) -> bytes:
        self.asked.append(since)
        return b"%d-%d" % (since, self.table.tick)

    def join(self) -> tuple[Reader, Subscription]:
        reader = Reader()
        subscription = self.view.attach(reader, None)
        subscription.open()
        return reader, subscription


def test_nothing_changed_nothing_sent() -> None:
    shown = Shown()
    reader, _ = shown.join()
    assert shown.view.flush(1.0) == 0
    shown.table.tick += 1
    assert shown.view.flush(2.0) == 1
    assert shown.view.flush(3.0) == 0
    assert reader.got == [b"3-4"]


def test_a_frame_is_encoded_once_for_all_of_one_base() -> None:
    shown = Shown()
    readers = [shown.join()[0] for _ in range(5)]
    shown.table.tick += 1
    late, _ = shown.join()
    shown.table.tick += 1
    assert shown.view.flush(1.0) == 6
    assert sorted(shown.asked) == [3, 4]
    assert all(reader.got[0] is readers[0].got[0] for reader in readers)
    assert late.got == [b"4-5"]


def test_the_first_change_leaves_at_once_and_the_next_waits_its_interval() -> None:
    shown = Shown(interval=5.0)
    reader, _ = shown.join()
    shown.view.flush(100.0)
    times = []
    for step in range(1, 300):
        now = 100.0 + step / 10
        shown.table.tick += 1
        if shown.view.flush(now):
            times.append(now)
    assert times[0] == 100.1, "a flush that sent nothing takes no turn"
    assert all(b - a >= 5.0 for a, b in itertools.pairwise(times))
    assert len(reader.got) == len(times) >= 5


def test_the_state_is_repeated_for_a_quiet_reader() -> None:
    shown = Shown(interval=5.0, at_least=60.0)
    reader, _ = shown.join()
    times = [now for now in range(1000, 1200) if shown.view.flush(float(now))]
    assert times == [1060, 1120, 1180]
    assert reader.got[0] == b"-1-3"


def test_who_comes_to_an_empty_view_waits_for_the_repetition() -> None:
    shown = Shown(interval=5.0, at_least=60.0)
    _, first = shown.join()
    shown.view.flush(1000.0)
    first.close()
    reader, _ = shown.join()
    assert [now for now in range(5000, 5100) if shown.view.flush(float(now))] == [5060]
    assert len(reader.got) == 1


def test_a_round_of_many_is_spread_and_nobody_is_left_out() -> None:
    shown = Shown(interval=5.0)
    readers = [shown.join()[0] for _ in range(1000)]
    shown.table.tick += 1
    sent = [shown.view.flush(100.0 + step / 10) for step in range(40)]
    assert sent[0] == AT_ONCE
    assert max(sent) <= 101, "a second for a thousand, a tenth of them in a tenth of it"
    assert sum(sent) == sum(sent[:11]) == 1000
    assert all(len(reader.got) == 1 for reader in readers)
    assert shown.asked == [3], "encoded once for the round"


def test_who_joins_or_leaves_during_a_round_gets_his_own_news_only() -> None:
    shown = Shown(interval=5.0)
    subscriptions = [shown.join() for _ in range(200)]
    shown.table.tick += 1
    shown.view.flush(100.0)
    shown.table.tick += 1
    newcomer, _ = shown.join()
    gone = next(one for one in subscriptions if not one[0].got)
    gone[1].close()
    for step in range(1, 20):
        shown.view.flush(100.0 + step / 10)
    assert newcomer.got == []
    assert gone[0].got == []
    assert sum(len(reader.got) for reader, _ in subscriptions) == 199
    for step in range(60):
        shown.view.flush(105.1 + step / 10)
    assert newcomer.got == [], "it has the last tick"
    assert all(reader.got[-1].endswith(b"-5") for reader, one in subscriptions if one.live)


def test_a_full_socket_is_skipped_and_made_whole() -> None:
    shown = Shown()
    reader, _ = shown.join()
    reader.writable = False
    for now in range(3):
        shown.table.tick += 1
        assert shown.view.flush(float(now)) == 0
    assert shown.view.skipped == 3
    reader.writable = True
    assert shown.view.flush(4.0) == 1
    assert reader.got == [b"3-6"]


def test_several_frames_are_one_delivery() -> None:
    shown = Shown()
    view = View("x/several", 2, shown.table, lambda since: (b"a", b"b"), 0.0)
    reader = Reader()
    view.attach(reader, None).open()
    shown.table.tick += 1
    assert view.flush(1.0) == 2
    assert reader.got == [b"a", b"b"]
    assert view.flush(2.0) == 0


def test_nothing_is_sent_before_open_while_paused_or_after_close() -> None:
    shown = Shown()
    reader = Reader()
    subscription = shown.view.attach(reader, None)
    shown.table.tick += 1
    assert shown.view.flush(1.0) == 0
    subscription.open()
    subscription.pause()
    assert shown.view.flush(2.0) == 0
    subscription.resume()
    assert shown.view.flush(3.0) == 1
    subscription.close()
    shown.table.tick += 1
    assert shown.view.flush(4.0) == 0


def test_a_tick_of_the_future_is_refused() -> None:
    shown = Shown()
    with pytest.raises(WireError) as caught:
        shown.view.attach(Reader(), Since(epoch=7, tick=99))
    assert caught.value.code == "INVALID_SINCE"
    assert shown.view.subscriptions == set()
    shown.view.attach(Reader(), Since(epoch=6, tick=99))
