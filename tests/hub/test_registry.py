"""The hub: names, the order and the pauses of a flush, tables' own periods, lost hints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fastws.broker import MemoryBroker, Position
from fastws.config import LimitsConfig
from fastws.errors import Unavailable
from fastws.hub import Hub
from fastws.hub.registry import SLICE_SECONDS, SLICE_SENDS, TAIL_CHECK_SECONDS
from fastws.metrics import Histogram
from tests.fakes import Clock
from tests.hub.readers import Reader


class Numbers:
    """A table of one number that notes when it is sealed."""

    epoch = 7

    def __init__(self, clock: Clock) -> None:
        self.tick = 0
        self.sealed: list[float] = []
        self._clock = clock

    def seal(self, now: float) -> int:
        self.sealed.append(self._clock.now)
        self.tick += 1
        return self.tick


class Shy(MemoryBroker):
    """A broker that can be away, and tells its listeners nothing while it is mute."""

    def __init__(self) -> None:
        super().__init__(300, lambda: 1.0)
        self.away = self.mute = False
        self.tails = 0

    def listen(self, channel: str, listener: Callable[..., None]) -> Callable[[], None]:
        return super().listen(channel, lambda heard: None if self.mute else listener(heard))

    async def tail(self, channel: str) -> Position:
        self.tails += 1
        if self.away:
            raise Unavailable("away")
        return await super().tail(channel)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def broker() -> Shy:
    return Shy()


@pytest.fixture
def hub(broker: Shy, clock: Clock) -> Hub:
    return Hub(broker, LimitsConfig(stall_seconds=5.0), clock=clock, monotonic=clock)


def frame(since: int) -> bytes:
    return b'{"since":%d}' % since


# ── names ───────────────────────────────────────────────────────────────────────────────


def test_a_channel_is_made_once_and_keeps_its_number(hub: Hub, clock: Clock) -> None:
    stream = hub.stream("room/news")
    view = hub.view("room/prices", Numbers(clock), frame, 0.0)
    assert hub.stream("room/news") is stream
    assert hub.view("room/prices", Numbers(clock), frame, 0.0) is view
    assert hub.find("room/news") is stream
    assert hub.find("room/none") is None
    assert stream.id != view.id
    assert hub.channels == [stream, view]


def test_a_name_has_one_kind(hub: Hub, clock: Clock) -> None:
    hub.stream("a/stream")
    hub.view("a/view", Numbers(clock), frame, 0.0)
    with pytest.raises(ValueError, match="not a stream"):
        hub.stream("a/view")
    with pytest.raises(ValueError, match="not a view"):
        hub.view("a/stream", Numbers(clock), frame, 0.0)


async def test_a_dropped_channel_tells_its_subscribers_and_hears_no_more(hub: Hub) -> None:
    stream, reader = hub.stream("room/news"), Reader()
    stream.attach(reader, None).open()
    hub.drop("room/news", "ROOM_CLOSED", "The room is closed")
    hub.drop("room/news")
    assert reader.ended == [("news", "ROOM_CLOSED", "The room is closed")]
    await stream.publish("news", {})
    assert (stream.offset, reader.frames) == (0, [])


async def test_a_stream_made_again_goes_on_where_the_broker_stands(hub: Hub) -> None:
    await hub.stream("room/news").publish("news", {"n": 1})
    hub.drop("room/news")
    again, reader = hub.stream("room/news"), Reader()
    again.attach(reader, None).open()
    assert again.offset == 1
    await again.publish("news", {"n": 2})
    assert reader.numbers() == [2], "and nobody gets what was before him"


# ── the flush ───────────────────────────────────────────────────────────────────────────


def test_each_table_is_sealed_in_its_own_period(hub: Hub, clock: Clock) -> None:
    fast, slow = Numbers(clock), Numbers(clock)
    hub.add_table(fast, 100)
    hub.add_table(slow, 500)
    for _ in range(50):
        hub.flush(clock.now)
        clock.now += 0.1
    assert len(fast.sealed) == 50
    assert len(slow.sealed) == 10


def test_what_was_sealed_leaves_in_the_same_flush(hub: Hub, clock: Clock) -> None:
    table, reader = Numbers(clock), Reader()
    hub.add_table(table, 100)
    hub.view("a/view", table, frame, 0.0).attach(reader, None).open()
    assert hub.flush(clock.now) == 1
    assert reader.take() == [{"since": 0}]


def test_streams_come_before_tables(hub: Hub, clock: Clock) -> None:
    table, order = Numbers(clock), []
    for name in ("a/view", "a/stream", "b/view", "b/stream"):
        made = hub.view(name, table, frame, 0.0) if "view" in name else hub.stream(name)
        made.attach(Reader(), None).open()
        made.deliver = lambda now, kind=made.kind: order.append(kind) or iter(())  # type: ignore[method-assign]
    hub.flush(clock.now)
    assert order == ["stream", "stream", "table", "table"]


def test_a_channel_nobody_follows_costs_nothing(hub: Hub, clock: Clock) -> None:
    asked: list[int] = []
    hub.view("a/view", Numbers(clock), lambda since: asked.append(since) or b"x", 0.0)
    assert hub.flush(clock.now) == 0
    assert asked == []


def test_only_a_stream_without_progress_is_closed(hub: Hub, clock: Clock) -> None:
    table, reader = Numbers(clock), Reader()
    reader.stuck = True
    hub.add_table(table, 100)
    hub.view("a/view", table, frame, 0.0).attach(reader, None).open()
    for _ in range(100):
        clock.now += 1.0
        hub.flush(clock.now)
    assert reader.stalls == 0, "unread table data alone never closes"


async def test_a_stream_reader_without_progress_is_stalled_by_the_flush(
    hub: Hub, clock: Clock
) -> None:
    stream, reader = hub.stream("room/news"), Reader()
    stream.attach(reader, None).open()
    reader.stuck = True
    await stream.publish("news", {})
    stalls = []
    for _ in range(7):
        hub.flush(clock.now)
        stalls.append(reader.stalls)
        clock.now += 1.0
    assert stalls == [0, 0, 0, 0, 0, 1, 2]


# ── pauses ──────────────────────────────────────────────────────────────────────────────


class Turns:
    """Counts the turns of the loop while something runs."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def turns() -> AsyncIterator[Turns]:
    counter = Turns()
    task = asyncio.create_task(counter())
    await asyncio.sleep(0)
    yield counter
    task.cancel()


def crowd(hub: Hub, clock: Clock, size: int) -> list[Reader]:
    """Readers of one view that have something to get."""
    table = Numbers(clock)
    view = hub.view("a/view", table, frame, 0.0)
    readers = [Reader() for _ in range(size)]
    for reader in readers:
        view.attach(reader, None).open()
    table.tick += 1
    return readers


async def test_a_pass_pauses_after_so_many_sends(hub: Hub, clock: Clock) -> None:
    readers = crowd(hub, clock, SLICE_SENDS * 5)
    between: list[int] = []
    async with turns() as counted:
        for reader in readers:
            reader.push = lambda *_: between.append(counted.count)  # type: ignore[method-assign]
        await hub._pass(clock.now)
    slices = [between.count(turn) for turn in sorted(set(between))]
    assert slices == [SLICE_SENDS] * 5, "the loop turned in between, within one channel"


async def test_a_pass_pauses_after_so_much_time(hub: Hub, clock: Clock) -> None:
    readers = crowd(hub, clock, 20)
    between: list[int] = []

    async with turns() as counted:

        def push(frame: bytes, channel: str = "") -> None:
            clock.now += SLICE_SECONDS / 3
            between.append(counted.count)

        for reader in readers:
            reader.push = push  # type: ignore[method-assign]
        await hub._pass(clock.now)
    slices = [between.count(turn) for turn in sorted(set(between))]
    assert max(slices) <= 4
    assert len(between) == 20


async def test_the_time_from_a_seal_to_the_last_write_is_measured_once_a_channel(
    broker: Shy, clock: Clock
) -> None:
    delays = Histogram()
    hub = Hub(broker, LimitsConfig(), clock=clock, monotonic=clock, delays=delays)

    def slow(since: int) -> bytes:
        clock.now += 0.25
        return frame(since)

    numbers = Numbers(clock)
    hub.add_table(numbers, 100)
    followed = hub.view("a/numbers", numbers, slow, 0.0)
    hub.view("a/nobody", numbers, slow, 0.0)
    await hub._pass(clock.now)
    assert delays.count == 0, "nobody was written to"
    for _ in range(3):
        followed.attach(Reader(), None).open()
    clock.now += 1
    await hub._pass(clock.now)
    assert (delays.count, delays.sum) == (1, 0.25)


async def test_who_leaves_during_a_pause_gets_nothing_more(hub: Hub, clock: Clock) -> None:
    readers = crowd(hub, clock, SLICE_SENDS * 2)
    view = hub.find("a/view")
    assert view is not None
    passing = asyncio.create_task(hub._pass(clock.now))
    await asyncio.sleep(0)
    served = [reader for reader in readers if reader.frames]
    assert len(served) == SLICE_SENDS
    for subscription in tuple(view.subscriptions):
        subscription.close()
    await passing
    assert [reader for reader in readers if reader.frames] == served


# ── run ─────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def running(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """The hub running on a clock that passes by a flush each time it sleeps."""
    passes = asyncio.Semaphore(0)
    sleep = asyncio.sleep

    async def pass_time(seconds: float) -> None:
        clock.now += seconds
        passes.release()
        await sleep(0)

    monkeypatch.setattr("fastws.hub.registry.asyncio.sleep", pass_time)
    task = asyncio.create_task(hub.run())

    async def wait(count: int = 1) -> None:
        for _ in range(count):
            await passes.acquire()

    yield wait
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_hole_is_filled_in_the_next_pass_and_a_lost_tail_within_two_seconds(
    hub: Hub, broker: Shy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, reader = hub.stream("room/news"), Reader()
    stream.attach(reader, None).open()
    async with running(hub, monkeypatch, clock) as wait:
        broker.mute = True
        await stream.publish("news", {"n": 1})
        broker.mute = False
        await stream.publish("news", {"n": 2})
        await wait(2)
        assert (broker.tails, reader.numbers()) == (1, [1, 2]), "asked because a hole was seen"
        broker.mute = True
        await stream.publish("news", {"n": 3})
        begun = clock.now
        while not reader.frames:
            await wait()
            assert clock.now - begun <= TAIL_CHECK_SECONDS + 1
        assert reader.numbers() == [3]


async def test_it_outlives_a_broker_that_is_away(
    hub: Hub, broker: Shy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, reader = Numbers(clock), Reader()
    hub.add_table(table, 500)
    hub.view("a/view", table, frame, 0.0).attach(reader, None).open()
    stream = hub.stream("room/news")
    broker.away = True
    async with running(hub, monkeypatch, clock) as wait:
        await wait(12)
        assert broker.tails >= 2
        assert len(reader.frames) >= 12, "tables need no broker"
        broker.away, broker.mute = False, True
        await stream.publish("news", {})
        await wait(6)
        assert stream.offset == 1


async def test_a_view_that_cannot_be_encoded_takes_nothing_from_the_others(
    hub: Hub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, first, second = Numbers(clock), Reader(), Reader()
    hub.add_table(table, 100)
    faults = ["one", "two"]

    def encode(since: int) -> bytes:
        if faults:
            raise ValueError(faults.pop())
        return frame(since)

    hub.view("a/view", table, encode, 0.0).attach(first, None).open()
    hub.view("b/view", table, frame, 0.0).attach(second, None).open()
    async with running(hub, monkeypatch, clock) as wait:
        await wait(4)
    assert [made["since"] for made in second.take()][:3] == [0, 1, 2]
    assert first.take()[0] == {"since": 0}, "it missed two flushes and nothing else"
