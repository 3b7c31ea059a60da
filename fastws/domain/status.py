"""The state of the system: status, maintenance, services and recent errors.

Owns what `monitor` shows but the settings themselves: one status made of maintenance, of the
services' own words and of the server's end; the ring of recent errors; and the channels that
carry changes of these. Services are asked by probes the server hands in; it knows none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import structlog
from msgspec import Struct, field

from fastws import wire
from fastws._core.table import Column, Table
from fastws.errors import Unavailable
from fastws.hub import Hub, Stream
from fastws.store.settings import Setting

__all__ = ["MAINTENANCE", "Noted", "Service", "SystemStatus"]

log = structlog.get_logger()

MAINTENANCE: Final = "maintenance_mode"
"""The setting that switches maintenance on: true, or ``{enabled, message}``."""

ONLINE: Final = "Server is operating normally"
UNDER_MAINTENANCE: Final = "System is under maintenance"
STOPPING: Final = "Server is shutting down"

AT_MOST_SECONDS: Final = 5.0
AT_LEAST_SECONDS: Final = 58.0
"""s between two ``SERVER_STATUS_UPDATE``; the promise is 60, the rest is the flush."""

CHECK_SECONDS: Final = 1.0
"""s between two questions to the services."""

FOLD_SECONDS: Final = 60.0
"""s in which the same error of the same service counts as one, seen again."""

MOST_ERRORS: Final = 500
MOST_WAITING: Final = 1000
FLUSH_MS: Final = 100


class Service(Struct, frozen=True):
    """What a probe says: ``online``, ``degraded`` or ``offline``, and figures."""

    status: str = "online"
    metrics: Mapping[str, Any] = {}


class RecentError(Struct):
    """An error as admins read it; ``count`` times, last at ``seen`` (Unix seconds)."""

    service: str
    error: str
    seen: float
    count: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As it goes over the wire."""
        return {
            "service": self.service,
            "status": "error",
            "error": self.error,
            "count": self.count,
            "details": dict(self.details),
            "timestamp": wire.iso(self.seen),
        }


class Noted(Protocol):
    """What the status needs of the settings."""

    on_change: list[Callable[[Collection[str]], None]]

    def get(self, key: str) -> Setting | None:
        """A setting, if there is one."""


class SystemStatus:
    """Everything `monitor` and the status pages say of the system.

    ``clock`` is Unix seconds; ``version`` is shown as ``_version``.
    """

    def __init__(self, hub: Hub, clock: Callable[[], float], version: str) -> None:
        self._clock = clock
        self._version = version
        self._begun = clock()
        self._stopping = False
        self._settings: Noted | None = None
        self._probes: dict[str, Callable[[], Service]] = {}
        self._services: dict[str, dict[str, Any]] = {}
        self._errors: deque[RecentError] = deque(maxlen=MOST_ERRORS)
        self._waiting: deque[tuple[Stream, str, dict[str, Any]]] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._status = self._table(hub, "status")
        self._maintenance = self._table(hub, "maintenance")
        hub.view(
            "monitor/system.status",
            self._status,
            self._status_frame,
            AT_MOST_SECONDS,
            at_least=AT_LEAST_SECONDS,
        )
        hub.view("monitor/system.maintenance", self._maintenance, self._maintenance_frame, 0.0)
        self._service_stream = hub.stream("monitor/services")
        self._error_stream = hub.stream("monitor/system.errors")
        self.check()

    def _table(self, hub: Hub, name: str) -> Table:
        """A table of one row, so that newest-only delivery is the hub's."""
        table = Table(name, (Column("state", "text"),), epoch=int(self._clock() * 1000))
        table.add(name)
        hub.add_table(table, FLUSH_MS)
        return table

    # ── what it is made of ──────────────────────────────────────────────────────────────

    def follow(self, settings: Noted) -> None:
        """Take maintenance from the settings, now and when they change."""
        self._settings = settings
        settings.on_change.append(self._noted)
        self.check()

    def _noted(self, keys: Collection[str]) -> None:
        if MAINTENANCE in keys:
            log.info("maintenance.changed", **self.maintenance())
            self.check()

    def watch(self, name: str, probe: Callable[[], Service]) -> None:
        """Ask ``probe`` once a second how the service is; it must not block."""
        self._probes[name] = probe
        self.check()

    def stop(self) -> None:
        """The server is going down: say ``offline``."""
        self._stopping = True
        self.check()

    def report(self, service: str, error: str, **details: Any) -> None:
        """An error that admins should read; never inner text, never a secret."""
        now = self._clock()
        for known in self._errors:
            if now - known.seen > FOLD_SECONDS:
                break
            if (known.service, known.error) == (service, error):
                known.count += 1
                known.seen = now
                self._errors.remove(known)
                self._errors.appendleft(known)
                return
        made = RecentError(service, error, now, details=details)
        self._errors.appendleft(made)
        self._push(self._error_stream, "error_alert", data=made.shown())

    def check(self) -> None:
        """Ask everybody and mark what changed. Cheap: call it whenever something happened."""
        for name, probe in self._probes.items():
            self._take(name, self._ask(name, probe))
        now = self.maintenance()
        self._maintenance.set_row("maintenance", {"state": f"{now['mode']} {now['message']}"})
        self._status.set_row("status", {"state": " ".join(self._verdict())})

    def _ask(self, name: str, probe: Callable[[], Service]) -> Service:
        """What a probe says; one that fails is offline."""
        try:
            return probe()
        except Exception:
            if self._services.get(name, {}).get("status") != "offline":
                log.exception("service.probe_failed", service=name)
            return Service("offline")

    def _take(self, name: str, service: Service) -> None:
        known = self._services.get(name)
        metrics = dict(service.metrics)
        if known is not None and known["status"] == service.status:
            known["metrics"] = metrics
            return
        state = {
            "status": service.status,
            "metrics": metrics,
            "updated_at": wire.iso(self._clock()),
        }
        self._services[name] = state
        if known is None:
            return
        log.info("service.changed", service=name, status=service.status, before=known["status"])
        self._push(self._service_stream, "service_status", service=name, data=dict(state))

    # ── what it says ────────────────────────────────────────────────────────────────────

    def system(self) -> dict[str, Any]:
        """``{status, message, timestamp, _version, _uptime}`` of now; uptime in seconds."""
        status, message = self._verdict()
        now = self._clock()
        return {
            "status": status,
            "message": message,
            "timestamp": wire.iso(now),
            "_version": self._version,
            "_uptime": int(now - self._begun),
        }

    def _verdict(self) -> tuple[str, str]:
        maintenance = self.maintenance()
        ailing = [name for name, one in self._services.items() if one["status"] != "online"]
        if self._stopping:
            return "offline", STOPPING
        if maintenance["mode"]:
            return "maintenance", maintenance["message"] or UNDER_MAINTENANCE
        if ailing:
            return "degraded", "Degraded: " + ", ".join(ailing)
        return "online", ONLINE

    def maintenance(self) -> dict[str, Any]:
        """``{mode, message, updated_at}``."""
        setting = self._settings.get(MAINTENANCE) if self._settings is not None else None
        value = None if setting is None else setting.value
        message = None
        if isinstance(value, dict):
            message = value.get("message")
            value = value.get("enabled", value.get("mode"))
        return {
            "mode": value in (True, "true", "on"),
            "message": message if isinstance(message, str) and message else None,
            "updated_at": None if setting is None else wire.iso(setting.updated_at.timestamp()),
        }

    def service(self, name: str) -> dict[str, Any] | None:
        """``{status, metrics, updated_at}`` of one service."""
        return self._services.get(name)

    def services(self) -> list[dict[str, Any]]:
        """Every service with its name."""
        return [{"name": name, **state} for name, state in self._services.items()]

    def recent(self, limit: int = 20, service: str | None = None) -> dict[str, Any]:
        """The newest errors first: ``{count, totalErrors, service, data}``.

        ``service`` is a name or a part of one; ``totalErrors`` counts all that are kept.
        """
        found = [one for one in self._errors if service is None or service in one.service]
        shown = [one.shown() for one in found[: max(1, min(limit, 100))]]
        return {
            "count": len(shown),
            "totalErrors": len(self._errors),
            "service": service,
            "data": shown,
        }

    # ── channels ────────────────────────────────────────────────────────────────────────

    def _status_frame(self, since: int) -> bytes | None:
        if self._status.rtick("status") <= since:
            return None
        return self._frame("SERVER_STATUS_UPDATE", "system.status", self.system())

    def _maintenance_frame(self, since: int) -> bytes | None:
        if self._maintenance.rtick("maintenance") <= since:
            return None
        return self._frame("maintenance_status", "system.maintenance", self.maintenance())

    def _frame(self, type: str, label: str, data: dict[str, Any]) -> bytes:
        return wire.encode(type, {"data": data}, self._clock(), channel=label)

    def _push(self, stream: Stream, type: str, **fields: Any) -> None:
        """Have `run` publish it: callers are in the middle of something that failed."""
        self._waiting.append((stream, type, fields))
        self._wake.set()

    async def step(self) -> None:
        """Check everything and publish what waits, in order."""
        self.check()
        while self._waiting:
            stream, type_, fields = waiting = self._waiting.popleft()
            try:
                await stream.publish(type_, fields)
            except Unavailable:
                self._waiting.appendleft(waiting)
                raise

    async def run(self) -> None:
        """Keep the status current until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.step()
            except Unavailable:
                log.warning("status.broker_away", waiting=len(self._waiting))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wake.wait()
