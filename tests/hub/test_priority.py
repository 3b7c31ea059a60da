"""Those who act are served first and always, those who watch at their pace."""

from __future__ import annotations

from typing import Any

from fastws._core.table import Column, Table
from fastws.hub import ByKey, PriorityTable, Subscriber, TableSubscription
from fastws.wire import Subscribe
from tests.fakes import Clock, RecordingOutlet, make_hub


class Follower:
    """A subscriber with a line."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.outlet = RecordingOutlet()
        self.writable = True
        self.accepted = 0
        self.ended: list[str] = []

    @property
    def line(self) -> Any:
        return self.outlet.line

    def push(self, frame: bytes, channel: str = "") -> None:
        self.outlet.send(frame)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        self.ended.append(code)

    def stalled(self) -> None:
        raise AssertionError("tables never stall")

    def count(self) -> int:
        """Frames since the last call."""
        found = len(self.outlet.frames)
        self.outlet.frames.clear()
        return found


class Audience:
    pace = 3

    def __init__(self) -> None:
        self.actors: set[str] = set()
        self.allowed: dict[str, str] | None = None

    def acts(self, subscriber: Subscriber) -> bool:
        return subscriber.id in self.actors

    def rows(self, subscriber: Subscriber) -> dict[str, str] | None:
        return self.allowed


class World:
    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.hub = make_hub(self.clock)
        self.table = Table("t", [Column("x", "decimal")])
        self.table.add("a", x=(1, 0))
        self.table.add("b", x=(1, 0))
        self.table.seal(0.0)
        self.audience = Audience()
        made = self.hub.table(
            "e/t", self.table, lambda since: b"{}", 1.0, flush_ms=33, names=ByKey(),
            kind=PriorityTable, audience=self.audience,
        )  # fmt: skip
        assert isinstance(made, PriorityTable)
        self.channel = made

    def follow(self, who: Follower, **asked: Any) -> TableSubscription:
        wish = Subscribe(channel="t", format="binary", **asked)
        made = self.hub.follow(who, self.channel, wish)
        assert isinstance(made, TableSubscription)
        made.open()
        who.count()
        return made

    def step(self) -> None:
        self.clock.now += 0.033
        for key in self.table.rows():
            self.table.set_row(key, {"x": (self.table.tick + 5, 0)})
        self.table.seal(0.0)
        self.channel.serve_first(self.clock.now)

    def rest(self) -> int:
        return sum(self.channel.serve_rest(self.clock.now))


def test_each_tick_for_those_who_act_and_each_third_for_those_who_watch() -> None:
    world = World()
    world.audience.actors = {"player"}
    player, watcher = Follower("player"), Follower("watcher")
    world.follow(player)
    world.follow(watcher)
    assert world.channel.others == 1
    seen = []
    for _ in range(9):
        world.step()
        world.rest()
        seen.append((player.count(), watcher.count()))
    assert [first for first, _ in seen] == [1] * 9
    assert sum(second for _, second in seen) == 3
    gaps = [at for at, (_, second) in enumerate(seen) if second]
    assert gaps == [gaps[0], gaps[0] + 3, gaps[0] + 6]


def test_thousands_who_watch_are_never_late_and_share_one_frame() -> None:
    world = World()
    crowd = [Follower(f"w{number}") for number in range(300)]
    for one in crowd:
        world.follow(one)
    for _ in range(30):
        world.step()
        world.rest()
    assert all(one.count() == 10 for one in crowd)
    assert world.channel.fanout.postponed == 0
    list(world.channel.deliver(world.clock.now))
    assert world.channel.messages >= 3000


def test_who_begins_to_act_is_moved_and_loses_nothing() -> None:
    world = World()
    one = Follower("one")
    subscription = world.follow(one)
    world.step()
    assert one.count() == 0
    world.audience.actors = {"one"}
    world.channel.place(subscription)
    world.step()
    assert one.count() == 1
    assert subscription.follower.synced == world.table.tick
    world.audience.actors = set()
    world.channel.place(subscription)
    for _ in range(6):
        world.step()
    assert one.count() == 0, "only with the others now"
    assert world.rest() == 1
    subscription.close()
    assert world.channel.others == 0


def test_a_slower_rate_is_kept_and_a_faster_one_is_not_given() -> None:
    world = World()
    slow, greedy = Follower("slow"), Follower("greedy")
    assert world.follow(slow, max_rate_ms=300).follower.pace == 16
    assert world.follow(greedy, max_rate_ms=1).follower.pace == 3


def test_rows_that_are_not_for_him_are_not_given_whatever_he_asks() -> None:
    world = World()
    world.audience.allowed = {"a": "a"}
    one = Follower("one")
    subscription = world.follow(one, rows=["b"])
    assert subscription.names == {"a": "a"}
    subscription.change(Subscribe(channel="t", format="binary", rows=["b"]))
    assert subscription.names == {"a": "a"}
    world.audience.allowed = {}
    subscription.change(Subscribe(channel="t", format="binary"))
    assert subscription.names == {}
    assert subscription.follower.held == []


def test_frames_of_who_acts_leave_before_what_others_hold() -> None:
    world = World()
    world.audience.actors = {"player"}
    player = Follower("player")
    world.follow(player)
    world.table.set_row("a", {"x": (77, 0)})
    world.table.seal(0.0)
    world.channel.serve_first(world.clock.now)
    assert player.outlet._frames == [], "it is held until the end of the turn"
    world.channel.first.leave_now()
    assert len(player.outlet._frames) == 1
