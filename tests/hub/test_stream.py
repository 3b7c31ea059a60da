"""Streams: every client sees each message once and in order, or a gap that says what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastws.broker import MemoryBroker, Position, Publication
from fastws.errors import WireError
from fastws.hub.stream import Stream, StreamSubscription
from fastws.wire import Since
from tests.hub.readers import Reader

NAME = "room/news"
EPOCH = 1000
Listener = Callable[[Publication], None]


class Lossy(MemoryBroker):
    """A broker of which hints can be lost, and whose numbering can begin anew."""

    def __init__(self, keep: int = 300) -> None:
        super().__init__(keep, lambda: EPOCH / 1000)
        self.losing = False
        self.before_history: Callable[[], None] = lambda: None

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        def hear(publication: Publication) -> None:
            if not self.losing:
                listener(publication)

        return super().listen(channel, hear)

    async def history(self, channel: str, after: int, limit: int) -> list[Publication]:
        found = await super().history(channel, after, limit)
        self.before_history()
        return found

    def restart(self) -> None:
        """As a new process would number: everything kept is gone."""
        self.epoch += 1
        log = self._log(NAME)
        log.offset = 0
        log.kept.clear()


class World:
    """A broker, a stream on it, and messages that carry their number."""

    def __init__(
        self, keep: int = 300, ring: int = 300, stall: float = 5.0, pace: float = 0.0
    ) -> None:
        self.broker = Lossy(keep)
        position = self.broker.position(NAME)
        self.now = 0.0
        self.stream = Stream(
            NAME, 1, self.broker, position, ring, lambda: 0.0, stall, pace=pace,
            monotonic=lambda: self.now,
        )  # fmt: skip
        self.sent = 0

    async def publish(self, count: int = 1) -> Position:
        for _ in range(count):
            self.sent += 1
            position = await self.stream.publish("news", {"n": self.sent})
        return position

    async def lose(self, count: int = 1) -> None:
        self.broker.losing = True
        await self.publish(count)
        self.broker.losing = False

    def join(self, since: Since | None = None) -> tuple[Reader, StreamSubscription]:
        reader = Reader()
        subscription = self.stream.attach(reader, since)
        subscription.open()
        return reader, subscription


async def test_a_message_has_its_offset_channel_and_fields() -> None:
    world = World()
    reader, _ = world.join()
    assert await world.publish() == Position(EPOCH, 1)
    (frame,) = reader.take()
    assert {**frame, "timestamp": ""} == {
        "type": "news",
        "n": 1,
        "offset": 1,
        "channel": "news",
        "timestamp": "",
    }


async def test_one_encoding_serves_everybody() -> None:
    world = World()
    readers = [world.join()[0] for _ in range(3)]
    await world.publish()
    assert all(reader.frames[0] == readers[0].frames[0] for reader in readers)


async def test_who_joins_gets_what_follows_and_not_before_it_is_opened() -> None:
    world = World()
    await world.publish(2)
    reader = Reader()
    subscription = world.stream.attach(reader, None)
    assert subscription.describe() == {
        "kind": "stream",
        "channel_id": 1,
        "epoch": EPOCH,
        "offset": 2,
    }
    await world.publish(2)
    assert reader.frames == []
    subscription.open()
    assert reader.numbers() == [3, 4], "nothing between the confirmation and the opening is lost"


async def test_a_slow_reader_holds_nothing_and_goes_on_where_it_was() -> None:
    world = World()
    slow, subscription = world.join()
    fast, _ = world.join()
    slow.stuck = True
    await world.publish(50)
    assert (slow.frames, len(fast.frames)) == ([], 50)
    assert world.stream.skipped == 50
    slow.stuck = False
    subscription.drained()
    assert slow.numbers() == list(range(1, 51))


async def test_a_socket_that_fills_up_in_between_gets_the_rest_later() -> None:
    world = World()
    reader, subscription = world.join()
    subscription.pause()
    await world.publish(5)
    push = reader.push

    def fill(frame: bytes, channel: str = "") -> None:
        push(frame, channel)
        reader.stuck = len(reader.frames) == 2

    reader.push = fill  # type: ignore[method-assign]
    subscription.resume()
    assert reader.numbers() == [1, 2]
    reader.stuck = False
    subscription.drained()
    assert reader.numbers() == [3, 4]
    reader.stuck = False
    subscription.drained()
    assert reader.numbers() == [5]


async def test_a_cursor_behind_the_ring_gets_one_gap_and_then_the_ring() -> None:
    world = World(ring=3)
    reader, subscription = world.join()
    reader.stuck = True
    await world.publish(10)
    reader.stuck = False
    subscription.drained()
    gap, *rest = reader.take()
    assert (gap["type"], gap["from"], gap["to"], gap["channel"]) == ("gap", 1, 7, "news")
    assert "epoch" not in gap
    assert [frame["n"] for frame in rest] == [8, 9, 10]


async def test_pause_keeps_the_place() -> None:
    world = World()
    reader, subscription = world.join()
    subscription.pause()
    await world.publish(3)
    assert subscription.watch(100.0) == 0.0, "and nobody is closed for pausing"
    assert reader.frames == []
    subscription.resume()
    assert reader.numbers() == [1, 2, 3]


async def test_nothing_is_sent_after_close() -> None:
    world = World()
    reader, subscription = world.join()
    subscription.close()
    await world.publish()
    subscription.drained()
    assert reader.frames == []


async def test_a_closed_stream_hears_nothing() -> None:
    world = World()
    reader, _ = world.join()
    world.stream.close()
    await world.publish()
    assert (reader.frames, world.stream.offset) == ([], 0)


# ── resuming ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("offset", [2, 3, 5])
async def test_a_resume_within_the_ring_is_whole(offset: int) -> None:
    world = World(ring=3)
    await world.publish(5)
    reader, subscription = world.join(Since(epoch=EPOCH, offset=offset))
    assert subscription.describe()["recovered"] is True
    assert reader.numbers() == list(range(offset + 1, 6))


@pytest.mark.parametrize("since", [Since(epoch=EPOCH, offset=1), Since(epoch=EPOCH - 1, offset=4)])
async def test_what_cannot_be_resumed_is_said_and_goes_on_from_now(since: Since) -> None:
    world = World(ring=3)
    await world.publish(5)
    reader, subscription = world.join(since)
    assert subscription.describe()["recovered"] is False
    await world.publish()
    assert reader.numbers() == [6]


async def test_who_asks_for_no_resume_is_told_nothing_of_it() -> None:
    assert "recovered" not in World().join()[1].describe()


@pytest.mark.parametrize("since", [Since(epoch=EPOCH, offset=6), Since(epoch=EPOCH, tick=1)])
async def test_a_place_that_cannot_be_is_refused_and_leaves_nothing(since: Since) -> None:
    world = World()
    await world.publish(5)
    with pytest.raises(WireError) as caught:
        world.stream.attach(Reader(), since)
    assert caught.value.code == "INVALID_SINCE"
    assert world.stream.subscriptions == set()


# ── what gets lost on the way ───────────────────────────────────────────────────────────


async def test_a_lost_hint_is_filled_in_by_the_tail_check() -> None:
    world = World()
    reader, _ = world.join()
    await world.publish()
    await world.lose(2)
    await world.publish()
    assert (world.stream.behind, world.stream.gaps) == (True, 1)
    assert reader.numbers() == [1], "not out of order"
    await world.stream.check_tail()
    assert reader.numbers() == [2, 3, 4]
    assert not world.stream.behind


async def test_a_lost_last_hint_is_found_though_nothing_follows() -> None:
    world = World()
    reader, _ = world.join()
    await world.lose(250)
    assert not world.stream.behind
    await world.stream.check_tail()
    assert reader.numbers() == list(range(1, 251)), "in several questions"


async def test_what_the_broker_no_longer_has_is_a_gap() -> None:
    world = World(keep=4)
    reader, _ = world.join()
    await world.publish()
    await world.lose(9)
    await world.stream.check_tail()
    first, gap, *rest = reader.take()
    assert first["n"] == 1
    assert (gap["from"], gap["to"]) == (2, 6)
    assert [frame["n"] for frame in rest] == [7, 8, 9, 10]


async def test_a_broker_without_history_leaves_a_gap_to_the_tail() -> None:
    world = World()
    reader, _ = world.join()
    await world.lose(3)
    world.broker._log(NAME).kept.clear()
    await world.stream.check_tail()
    assert [(frame["from"], frame["to"]) for frame in reader.take()] == [(1, 3)]


async def test_hints_that_arrive_during_the_tail_check_lose_nothing() -> None:
    world = World()
    slow, subscription = world.join()
    await world.lose(3)
    kept = list(world.broker._log(NAME).kept)
    slow.stuck = True
    world.broker.before_history = lambda: [world.stream._hear(item) for item in kept] and None
    await world.stream.check_tail()
    slow.stuck = False
    subscription.drained()
    assert slow.numbers() == [1, 2, 3]


async def test_a_hint_heard_twice_is_sent_once() -> None:
    world = World()
    reader, _ = world.join()
    await world.publish()
    world.stream._hear(world.broker._log(NAME).kept[0])
    assert reader.numbers() == [1]


# ── a new numbering ─────────────────────────────────────────────────────────────────────


async def test_a_new_epoch_is_told_with_what_the_old_one_owed() -> None:
    world = World()
    slow, subscription = world.join()
    fast, _ = world.join()
    slow.stuck = True
    await world.publish(3)
    world.broker.restart()
    await world.publish(2)
    told = [(f.get("from"), f.get("to"), f.get("epoch"), f.get("n")) for f in fast.take()[3:]]
    assert told == [
        (4, 3, EPOCH + 1, None),
        (None, None, None, 4),
        (None, None, None, 5),
    ]
    slow.stuck = False
    subscription.drained()
    gap, *rest = slow.take()
    assert (gap["from"], gap["to"], gap["epoch"]) == (1, 3, EPOCH + 1)
    assert [(frame["n"], frame["offset"]) for frame in rest] == [(4, 1), (5, 2)]
    assert world.stream.position == {"epoch": EPOCH + 1, "offset": 2}


async def test_what_was_published_before_the_new_epoch_was_noticed_is_fetched() -> None:
    world = World()
    reader, _ = world.join()
    await world.publish()
    world.broker.restart()
    await world.lose(2)
    await world.stream.check_tail()
    frames = reader.take()
    assert [frame["type"] for frame in frames] == ["news", "gap", "news", "news"]
    assert frames[-1]["n"] == 3


async def test_nothing_of_the_old_epoch_is_served_under_the_new_numbers() -> None:
    world = World(ring=3)
    await world.publish(6)
    world.broker.restart()
    await world.publish(2)
    assert world.stream.floor == 1
    reader, subscription = world.join(Since(epoch=EPOCH + 1, offset=0))
    assert subscription.recovered
    assert reader.numbers() == [7, 8]


async def test_two_new_epochs_while_a_socket_is_full_are_one_gap() -> None:
    world = World()
    slow, subscription = world.join()
    slow.stuck = True
    await world.publish(2)
    world.broker.restart()
    await world.publish(7)
    world.broker.restart()
    await world.publish()
    slow.stuck = False
    subscription.drained()
    gap, message = slow.take()
    assert (gap["from"], gap["to"], gap["epoch"]) == (1, 2, EPOCH + 2)
    assert message["offset"] == 1


async def test_what_comes_late_from_an_older_epoch_is_not_heard() -> None:
    world = World()
    reader, _ = world.join()
    await world.publish()
    late = world.broker._log(NAME).kept[0]
    world.broker.restart()
    await world.publish()
    reader.take()
    world.stream._hear(late._replace(position=Position(EPOCH, 2)))
    assert reader.frames == []
    assert world.stream.position == {"epoch": EPOCH + 1, "offset": 1}


async def test_a_new_epoch_during_the_tail_check_ends_it() -> None:
    world = World()
    reader, _ = world.join()
    await world.lose(2)
    world.broker.before_history = lambda: world.stream._hear(
        Publication(Position(EPOCH + 1, 1), b'{"type":"news","n":9,"offset":1}')
    )
    await world.stream.check_tail()
    assert [frame.get("n") for frame in reader.take()] == [None, 9]
    assert world.stream.position == {"epoch": EPOCH + 1, "offset": 1}


# ── no progress ─────────────────────────────────────────────────────────────────────────


async def test_only_a_reader_that_takes_nothing_at_all_is_stalled() -> None:
    world = World(stall=5.0)
    dead, slow = world.join()[0], world.join()[0]
    dead.stuck = slow.stuck = True
    for second in range(4):
        world.stream.flush(float(second))
    await world.publish()
    for second in range(100, 130):
        slow.accepted += 1
        world.stream.flush(float(second))
        assert dead.stalls == max(0, second - 104)
    assert slow.stalls == 0, "a byte a second is progress"


async def test_the_time_of_a_pause_is_not_held_against_a_reader() -> None:
    world = World(stall=5.0)
    reader, subscription = world.join()
    reader.stuck = True
    await world.publish(1)
    world.stream.flush(100.0)
    subscription.pause()
    world.stream.flush(102.0)
    subscription.resume()
    for second in (110, 111, 114):
        world.stream.flush(float(second))
    assert reader.stalls == 0
    world.stream.flush(115.0)
    assert reader.stalls == 1


async def test_waiting_is_counted_from_the_last_progress() -> None:
    world = World()
    reader, subscription = world.join()
    reader.stuck = True
    await world.publish()
    assert subscription.watch(10.0) == 0.0
    assert subscription.watch(13.0) == 3.0
    reader.accepted += 500
    assert subscription.watch(14.0) == 0.0
    reader.accepted -= 10  # the head of a frame that was queued meanwhile
    assert subscription.watch(15.0) == 1.0
    reader.accepted += 5
    assert subscription.watch(16.0) == 0.0
    reader.stuck = False
    assert subscription.watch(17.0) == 0.0
    assert reader.numbers() == [1], "a socket that drained unheard is served by the flush"
    reader.stuck = True
    await world.publish()
    assert subscription.watch(90.0) == 0.0, "the wait begins when something waits"


# ── all of it at random ─────────────────────────────────────────────────────────────────


class Strict(Reader):
    """A reader that knows, at the moment it is told of a gap, what could have been sent."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream

    def push(self, frame: bytes, channel: str = "") -> None:
        super().push(frame, channel)
        told = orjson.loads(frame)
        if told["type"] == "gap" and "epoch" not in told:
            assert told["to"] == self.stream.floor - 1, "no more than what cannot be had"


class Client:
    """What a client makes of the frames: the messages it has, and those it was told it lost."""

    def __init__(self, world: World, epoch: int, offset: int) -> None:
        self.reader = Strict(world.stream)
        self.epoch, self.offset = epoch, offset
        self.subscription: StreamSubscription | None = None
        self.started = (epoch, offset)
        self.has: list[tuple[int, int]] = []
        self.lost: set[tuple[int, int]] = set()

    def read(self) -> None:
        for frame in self.reader.take():
            if frame["type"] == "gap":
                self._lose(frame)
                continue
            assert frame["offset"] == self.offset + 1, "in order, once"
            self.offset = frame["offset"]
            assert orjson.loads(frame["data"]) == [self.epoch, self.offset]
            self.has.append((self.epoch, self.offset))

    def _lose(self, frame: dict[str, Any]) -> None:
        assert frame["from"] == self.offset + 1
        for offset in range(frame["from"], frame["to"] + 1):
            self.lost.add((self.epoch, offset))
        self.offset = frame["to"]
        if "epoch" in frame:
            assert frame["epoch"] > self.epoch
            self.epoch, self.offset = frame["epoch"], 0


class Model(RuleBasedStateMachine):
    """Publishing, losing, restarting, slow and returning clients; what each of them knows."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(keep=6, ring=4)
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self.ends: dict[int, int] = {}

    def _publish(self) -> None:
        stream, broker = self.world.stream, self.world.broker
        epoch = broker.epoch

        async def send() -> None:
            following = broker.position(NAME).offset + 1
            await stream.publish("news", {"data": f"[{epoch},{following}]"})

        asyncio.run(send())
        self.ends[epoch] = broker.position(NAME).offset

    @rule(count=st.integers(1, 8))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self._publish()

    @rule(count=st.integers(1, 8))
    def lose(self, count: int) -> None:
        self.world.broker.losing = True
        self.publish(count)
        self.world.broker.losing = False

    @rule()
    def check_tail(self) -> None:
        asyncio.run(self.world.stream.check_tail())
        assert self.world.stream.position["offset"] == self.world.broker.position(NAME).offset

    @rule()
    def new_epoch(self) -> None:
        self.world.broker.restart()

    @rule()
    def join(self) -> None:
        stream = self.world.stream
        client = Client(self.world, stream.epoch, stream.offset)
        client.subscription = stream.attach(client.reader, None)
        client.subscription.open()
        self.clients.append(client)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), what=st.sampled_from(["stick", "drain", "pause", "resume", "leave"]))
    def client(self, data: st.DataObject, what: str) -> None:
        client = data.draw(st.sampled_from(self.clients))
        subscription = client.subscription
        assert subscription is not None
        if what == "stick":
            client.reader.stuck = True
        elif what == "drain":
            client.reader.stuck = False
            subscription.drained()
        elif what == "pause":
            subscription.pause()
        elif what == "resume":
            subscription.resume()
        else:
            client.read()
            subscription.close()
            client.reader.stuck = False
            self.clients.remove(client)
            self.gone.append(client)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(self.gone))
        stream = self.world.stream
        here = (stream.epoch, stream.offset)
        client.subscription = stream.attach(
            client.reader, Since(epoch=client.epoch, offset=client.offset)
        )
        self.gone.remove(client)
        self.clients.append(client)
        if not client.subscription.describe()["recovered"]:
            client.has.clear()  # it was told: it begins anew
            client.lost.clear()
            client.epoch, client.offset = client.started = here
        client.subscription.open()

    @invariant()
    def each_message_came_once_or_is_known_to_be_missing(self) -> None:
        for client in self.clients:
            client.read()
            assert len(set(client.has)) == len(client.has)
            assert not client.lost & set(client.has)
            epoch, offset = client.started
            known = client.lost | set(client.has)
            upto = client.offset if client.epoch == epoch else None
            expected = {(epoch, n) for n in range(offset + 1, (upto or 0) + 1)}
            if upto is not None:
                assert known == expected
            else:
                assert {(client.epoch, n) for n in range(1, client.offset + 1)} <= known
            subscription = client.subscription
            assert subscription is not None
            if not client.reader.stuck and not subscription.paused:
                assert {
                    "epoch": client.epoch,
                    "offset": client.offset,
                } == subscription.channel.position


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


async def test_a_busy_stream_is_told_at_its_pace_and_the_first_message_at_once() -> None:
    world = World(pace=0.1)
    reader = Reader()
    subscription = world.stream.attach(reader, None)
    subscription.open()
    await world.publish()
    assert numbers(reader) == [1], "the first leaves at once"
    await world.publish(3)
    assert numbers(reader) == [1]
    late = Reader()
    resumed = world.stream.attach(late, Since(epoch=EPOCH, offset=2))
    resumed.open()
    assert numbers(late) == [3, 4], "who catches up is given what there is"
    world.stream.flush(0.0)
    assert numbers(reader) == [1, 2, 3, 4]
    assert numbers(late) == [3, 4]
    await world.publish()
    assert numbers(reader)[-1] == 4
    world.now = 0.2
    await world.publish()
    assert numbers(reader)[-2:] == numbers(late)[-2:] == [5, 6]
    assert world.stream.messages >= 8


def numbers(reader: Reader) -> list[int]:
    """What a reader was told, by number."""
    return [orjson.loads(frame)["n"] for frame in reader.frames]
