"""How the parts of a server are, as the system status asks them. Nothing here blocks."""

from __future__ import annotations

from typing import Final

import structlog

from fastws.domain.market import FeedStatus
from fastws.domain.status import Service
from fastws.server.rooms import Rooms
from fastws.server.tasks import Tasks

__all__ = ["watch"]

log = structlog.get_logger()

LATE_SECONDS: Final = 1.0
"""A flush that takes longer makes everybody's prices late."""


def watch(rooms: Rooms, tasks: Tasks) -> None:
    """Let the status of a server know its parts, and hear at once what changes by itself."""
    probes = _Probes(rooms, tasks)
    rooms.status.watch("database", probes.database)
    rooms.status.watch("websocket", probes.websocket)
    rooms.status.watch("hub", probes.hub)
    rooms.status.watch("tasks", probes.tasks)
    rooms.status.watch("breakers", probes.breakers)
    if rooms.source is not None:
        rooms.status.watch("market", probes.market)
    rooms.database.on_change(probes.database_changed)
    rooms.market.feed.on_change.append(probes.feed_changed)


class _Probes:
    def __init__(self, rooms: Rooms, tasks: Tasks) -> None:
        self._rooms = rooms
        self._tasks = tasks

    def database(self) -> Service:
        waiting = self._rooms.recorded.waiting
        state = "online" if self._rooms.database.available else "offline"
        return Service(state, {"rowsWaiting": waiting})

    def websocket(self) -> Service:
        return Service("online", {"connections": len(self._rooms.connections)})

    def hub(self) -> Service:
        hub = self._rooms.hub
        metrics = {"channels": len(hub.channels), "flushMs": round(hub.lag * 1000, 1)}
        return Service("online" if hub.lag < LATE_SECONDS else "degraded", metrics)

    def tasks(self) -> Service:
        down, failures = sorted(self._tasks.down), self._tasks.failures.total()
        metrics = {"down": down, "failures": failures}
        return Service("degraded" if down else "online", metrics)

    def breakers(self) -> Service:
        ours = (service for service in self._rooms.breakers if service.own)
        open_ = [service.name for service in ours if service.breaker.state == "open"]
        return Service("degraded" if open_ else "online", {"open": sorted(open_)})

    def market(self) -> Service:
        market = self._rooms.market
        feed = market.feed
        age = feed.age()
        metrics = {
            "source": feed.name,
            "tokens": len(market),
            "updates": feed.updates,
            "ageSeconds": None if age is None else round(age, 1),
            "reconnects": feed.reconnects,
        }
        return Service("online" if feed.status is FeedStatus.LIVE else "degraded", metrics)

    def database_changed(self, available: bool) -> None:
        if not available:
            self._rooms.status.report("database", "The database does not answer")
        self._rooms.status.check()

    def feed_changed(self, status: FeedStatus) -> None:
        log.info("market.feed", source=self._rooms.market.feed.name, status=status.value)
        if status is FeedStatus.STALE:
            self._rooms.status.report("market", "The feed gives no prices")
        self._rooms.status.check()
