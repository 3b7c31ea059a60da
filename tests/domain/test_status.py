"""System status, maintenance, services and recent errors, with time in the test's hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fastws._core.line import Cork, Line
from fastws.domain import status as room
from fastws.domain.status import Service, SystemStatus
from fastws.errors import Unavailable
from fastws.hub import Hub
from fastws.store.settings import Setting
from tests.fakes import Clock, frames_of, make_hub

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Book:
    """Settings of a test."""

    def __init__(self) -> None:
        self.on_change: list[Callable[[Collection[str]], None]] = []
        self.value: Any = None

    def get(self, key: str) -> Setting | None:
        if key != "maintenance_mode" or self.value is None:
            return None
        return Setting(key, self.value, None, MOMENT, None)

    def switch(self, value: Any) -> None:
        self.value = value
        for listener in self.on_change:
            listener(["maintenance_mode"])


class Reader:
    id = "reader"
    writable = True

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.line = Line(Cork(lambda step: step()), self._written)

    def _written(self, data: bytes) -> None:
        for _, frame in frames_of(data):
            self.push(frame)

    def push(self, frame: bytes, channel: str = "") -> None:
        self.frames.append((self.clock.now, orjson.loads(frame)))

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        raise AssertionError(code)

    def stalled(self) -> None:
        raise AssertionError("stalled")

    def take(self) -> list[dict[str, Any]]:
        frames = [frame for _, frame in self.frames]
        self.frames.clear()
        return frames


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub: Hub = make_hub(self.clock)
        self.book = Book()
        self.status = SystemStatus(self.hub, self.clock, "1.2.3")
        self.status.follow(self.book)
        self.health: dict[str, Service] = {}

    def watch(self, name: str) -> None:
        self.health[name] = Service()
        self.status.watch(name, lambda: self.health[name])

    def follow(self, label: str) -> Reader:
        channel = self.hub.find(f"monitor/{label}")
        assert channel is not None
        self.hub.flush(self.clock.now)
        reader = Reader(self.clock)
        channel.attach(reader, None).open()
        return reader

    async def pass_time(self, seconds: float, step: float = 0.1) -> None:
        for _ in range(round(seconds / step)):
            self.clock.now += step
            await self.status.step()
            self.hub.flush(self.clock.now)


@pytest.fixture
def world() -> World:
    return World()


def test_all_is_well(world: World) -> None:
    world.clock.now += 61.5
    assert world.status.system() == {
        "status": "online",
        "message": "Server is operating normally",
        "timestamp": "2023-11-14T22:14:21.500Z",
        "_version": "1.2.3",
        "_uptime": 61,
    }
    assert world.status.maintenance() == {"mode": False, "message": None, "updated_at": None}


@pytest.mark.parametrize(
    ("value", "mode", "message"),
    [
        (True, True, None),
        (False, False, None),
        ("true", True, None),
        ("false", False, None),
        ({"enabled": True, "message": "Back at noon"}, True, "Back at noon"),
        ({"mode": True}, True, None),
        ({"enabled": False, "message": "x"}, False, "x"),
        ({"enabled": True, "message": 5}, True, None),
        ({}, False, None),
        ([], False, None),
        ([True], False, None),
    ],
)
def test_maintenance_is_a_setting(
    world: World, value: Any, mode: bool, message: str | None
) -> None:
    world.book.switch(value)
    assert world.status.maintenance() == {
        "mode": mode,
        "message": message,
        "updated_at": "2026-01-02T03:04:05.000Z",
    }
    expected = message or "System is under maintenance"
    assert (world.status.system()["message"] == expected) is mode


def test_the_worst_news_wins(world: World) -> None:
    world.watch("database")
    world.watch("market")
    world.health["market"] = Service("degraded")
    world.status.check()
    assert world.status.system()["status"] == "degraded"
    assert world.status.system()["message"] == "Degraded: market"
    world.book.switch(True)
    assert world.status.system()["status"] == "maintenance"
    world.status.stop()
    assert world.status.system()["status"] == "offline"
    assert world.status.system()["message"] == "Server is shutting down"


async def test_a_status_leaves_at_once_and_then_at_most_every_five_seconds(world: World) -> None:
    reader = world.follow("system.status")
    await world.pass_time(3)
    assert reader.frames == [], "nothing changed"
    begun = world.clock.now
    for on in (True, False) * 60:
        world.book.switch(on)
        await world.pass_time(0.2)
    times = [at for at, _ in reader.frames]
    assert times[0] - begun == pytest.approx(0.1)
    assert len(times) >= 4
    assert all(b - a >= 5.0 for a, b in itertools.pairwise(times))
    world.book.switch(True)
    await world.pass_time(10)
    last = reader.frames[-1][1]
    assert last["type"] == "SERVER_STATUS_UPDATE"
    assert last["channel"] == "system.status"
    assert last["data"] == {**world.status.system(), **_times(last["data"])}
    assert last["data"]["status"] == "maintenance", "the newest state always arrives"


def _times(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("timestamp", "_uptime")}


async def test_a_quiet_status_is_said_again_within_a_minute(world: World) -> None:
    reader = world.follow("system.status")
    begun = world.clock.now
    await world.pass_time(200, step=0.5)
    times = [at - begun for at, _ in reader.frames]
    assert len(times) == 3
    assert times[0] <= 60
    assert all(5 <= b - a <= 60 for a, b in itertools.pairwise(times))
    assert [frame["data"]["status"] for frame in reader.take()] == ["online"] * 3


async def test_maintenance_is_pushed_when_it_changes(world: World) -> None:
    reader = world.follow("system.maintenance")
    await world.pass_time(120, step=1)
    assert reader.frames == [], "never without a change"
    world.book.switch({"enabled": True, "message": "Back at noon"})
    await world.pass_time(0.1)
    world.book.switch(False)
    await world.pass_time(0.1)
    frames = reader.take()
    assert [frame["type"] for frame in frames] == ["maintenance_status"] * 2
    assert frames[0]["data"] == {
        "mode": True,
        "message": "Back at noon",
        "updated_at": "2026-01-02T03:04:05.000Z",
    }
    assert frames[0]["channel"] == "system.maintenance"
    assert frames[1]["data"]["mode"] is False


async def test_a_service_is_pushed_when_its_status_changes(world: World) -> None:
    world.watch("database")
    reader = world.follow("services")
    world.health["database"] = Service(metrics={"pool": 3})
    await world.pass_time(1)
    assert reader.frames == [], "figures alone are no change"
    assert world.status.service("database") == {
        "status": "online",
        "metrics": {"pool": 3},
        "updated_at": "2023-11-14T22:13:20.000Z",
    }
    world.health["database"] = Service("offline", {"pool": 0})
    await world.pass_time(1, step=1)
    (frame,) = reader.take()
    assert (frame["type"], frame["service"]) == ("service_status", "database")
    assert frame["channel"] == "services"
    assert frame["data"] == world.status.service("database")
    assert frame["data"]["status"] == "offline"
    assert world.status.services() == [{"name": "database", **frame["data"]}]
    assert world.status.service("none") is None


async def test_a_probe_that_fails_is_offline(world: World) -> None:
    def broken() -> Service:
        raise RuntimeError("inner text")

    world.status.watch("broken", broken)
    assert world.status.system()["message"] == "Degraded: broken"
    assert "inner" not in repr(world.status.services())


async def test_errors_are_kept_pushed_and_folded(world: World) -> None:
    reader = world.follow("system.errors")
    world.status.report("monitor", "a message could not be processed", endpoint="monitor")
    world.clock.now += 1
    world.status.report("market", "the feed is stale")
    world.clock.now += 1
    world.status.report("monitor", "a message could not be processed")
    await world.status.step()
    alerts = reader.take()
    assert [(a["type"], a["data"]["service"], a["offset"]) for a in alerts] == [
        ("error_alert", "monitor", 1),
        ("error_alert", "market", 2),
    ]
    recent = world.status.recent()
    assert (recent["count"], recent["totalErrors"], recent["service"]) == (2, 2, None)
    assert recent["data"][0] == {
        "service": "monitor",
        "status": "error",
        "error": "a message could not be processed",
        "count": 2,
        "details": {"endpoint": "monitor"},
        "timestamp": "2023-11-14T22:13:22.000Z",
    }
    world.clock.now += 61
    world.status.report("monitor", "a message could not be processed")
    assert [one["count"] for one in world.status.recent()["data"]] == [1, 2, 1]


def test_recent_errors_are_bounded_and_filtered(world: World) -> None:
    for number in range(700):
        world.status.report(f"service{number % 7}", f"error {number}")
    assert world.status.recent()["count"] == 20
    assert world.status.recent(limit=1000)["count"] == 100
    assert world.status.recent(limit=-5)["count"] == 1
    assert world.status.recent()["totalErrors"] == 500
    assert world.status.recent()["data"][0]["error"] == "error 699"
    found = world.status.recent(100, "service3")
    assert (found["service"], found["totalErrors"]) == ("service3", 500)
    assert {one["service"] for one in found["data"]} == {"service3"}
    assert world.status.recent(100, "none")["data"] == []


async def test_alerts_wait_for_the_broker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = world.follow("system.errors")
    stream = world.hub.stream("monitor/system.errors")
    publish = stream.publish

    async def away(type: str, fields: dict[str, Any]) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(stream, "publish", away)
    world.status.report("a", "first")
    world.status.report("a", "second")
    with pytest.raises(Unavailable):
        await world.status.step()
    monkeypatch.setattr(stream, "publish", publish)
    await world.status.step()
    assert [frame["data"]["error"] for frame in reader.take()] == ["first", "second"]


async def test_running_publishes_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHECK_SECONDS", 3600.0)
    reader = world.follow("system.errors")
    heard = asyncio.Event()
    push = reader.push

    def noting(frame: bytes, channel: str = "") -> None:
        push(frame, channel)
        heard.set()

    monkeypatch.setattr(reader, "push", noting)
    task = asyncio.create_task(world.status.run())
    await asyncio.sleep(0)
    world.status.report("a", "now")
    async with asyncio.timeout(10):
        await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
