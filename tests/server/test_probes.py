"""How the parts of a server are, as admins and pages read it."""

from __future__ import annotations

from typing import Any

from fastws.domain.market import FeedStatus
from fastws.server.probes import LATE_SECONDS, watch
from fastws.server.rooms import Rooms
from fastws.server.tasks import Tasks
from tests.server.conftest import configured


def made(**sections: Any) -> tuple[Rooms, Tasks]:
    rooms = Rooms(configured(**sections), "postgresql://nobody@nowhere/none")
    tasks = Tasks(rooms.status.report)
    watch(rooms, tasks)
    rooms.database._set(True)
    rooms.market.feed.touch()
    return rooms, tasks


def status(rooms: Rooms) -> tuple[str, str]:
    rooms.status.check()
    now = rooms.status.system()
    return now["status"], now["message"]


async def test_all_is_well() -> None:
    rooms, _ = made()
    assert status(rooms)[0] == "online"
    names = {one["name"] for one in rooms.status.services()}
    assert names == {"database", "websocket", "hub", "tasks", "breakers", "market"}


async def test_without_a_source_nobody_misses_prices() -> None:
    rooms, _ = made(market={"source": "none"})
    assert "market" not in {one["name"] for one in rooms.status.services()}
    rooms.market.feed.become(FeedStatus.OFF)
    assert status(rooms)[0] == "online"


async def test_a_database_that_is_away_degrades_and_is_reported_at_once() -> None:
    rooms, _ = made()
    rooms.database._set(False)
    found = rooms.status.service("database")
    assert found is not None
    assert found["status"] == "offline", "without waiting for the next look"
    assert status(rooms) == ("degraded", "Degraded: database")
    assert rooms.status.recent()["data"][0]["service"] == "database"
    rooms.database._set(True)
    assert status(rooms)[0] == "online"


async def test_a_stale_feed_degrades_and_is_reported() -> None:
    rooms, _ = made()
    rooms.market.feed.become(FeedStatus.STALE)
    assert status(rooms) == ("degraded", "Degraded: market")
    assert rooms.status.recent()["data"][0]["service"] == "market"
    rooms.market.feed.touch()
    assert status(rooms)[0] == "online"


async def test_a_job_that_is_down_degrades() -> None:
    rooms, tasks = made()
    tasks.down.add("market")
    tasks.failures["market"] += 1
    assert status(rooms) == ("degraded", "Degraded: tasks")
    found = rooms.status.service("tasks")
    assert found is not None
    assert found["metrics"] == {"down": ["market"], "failures": 1}


async def test_a_late_flush_degrades() -> None:
    rooms, _ = made()
    rooms.hub.lag = LATE_SECONDS
    assert status(rooms) == ("degraded", "Degraded: hub")
    rooms.hub.lag = 0.01
    assert status(rooms)[0] == "online"
