"""Circuit breakers of everything the platform depends on, ours and those others report.

Owns which services there are, their layers, what is told of each change, the incidents and the
configuration. Ours really stop calls (`fastws.breaker`); others' are shown as they report them.
What cannot be stored while the database is away waits and is stored later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

import msgspec
import structlog

from fastws import wire
from fastws.breaker import Breaker, BreakerConfig, BreakerOpen, State
from fastws.errors import StoreUnavailable, Unavailable, WireError
from fastws.hub import Hub
from fastws.store.breakers import BreakerRows, Incident, StoredState

__all__ = ["COLOURS", "LAYERS", "Breakers", "Layer", "Service"]

log = structlog.get_logger()

Layer = Literal["data", "contest", "wallet", "infrastructure"]
LAYERS: Final[tuple[Layer, ...]] = ("data", "contest", "wallet", "infrastructure")
COLOURS: Final = {"closed": "green", "degraded": "yellow", "half_open": "yellow", "open": "red"}
ENDPOINT: Final = "circuit-breaker"

SEVERITY: Final = {
    "closed": "info",
    "degraded": "warning",
    "half_open": "warning",
    "open": "critical",
}

MOST: Final = 500
"""Services that may report themselves."""

WAITING: Final = 1000
"""Messages and rows that wait."""

CHECK_TIMEOUT: Final = 5.0

Check = Callable[[], Awaitable[None]]
"""Returns when the service is well; raises with a sentence when it is not."""


class Service:
    """A dependency: its breaker, where it belongs and how it is asked."""

    def __init__(
        self,
        breaker: Breaker,
        layer: Layer,
        details: str = "",
        check: Check | None = None,
        *,
        own: bool = True,
        guarded: bool = False,
    ) -> None:
        """``own``: asked from here; ``guarded``: its check goes by the breaker by itself."""
        self.breaker = breaker
        self.layer: Layer = layer
        self.details = details
        self.check = check
        self.own = own
        self.guarded = guarded
        self.opened_at: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.breaker.name

    def shown(self, *, config: bool = False) -> dict[str, Any]:
        """The item of wire.md A7."""
        breaker = self.breaker
        called, state = breaker.total, breaker.state if breaker.total else "unknown"
        if breaker.state != "closed":
            state = breaker.state
        average = breaker.seconds / breaker.successful * 1000 if breaker.successful else 0.0
        item: dict[str, Any] = {
            "service": self.name,
            "status": state,
            "color": COLOURS.get(state, "gray"),
            "layer": self.layer,
            "circuit_breaker": {
                "status": state,
                "details": self.details if state in ("closed", "unknown") else breaker.cause,
                "is_open": breaker.state == "open",
                "failures": breaker.failures,
                "last_failure": _moment(breaker.last_failure),
                "last_success": _moment(breaker.last_success),
                "recovery_attempts": breaker.recovery_attempts,
                "last_recovery_attempt": _moment(breaker.last_recovery_attempt),
                "last_reset": _moment(breaker.last_reset),
            },
            "operations": {
                "total": called, "successful": breaker.successful, "failed": breaker.failed,
            },
            "performance": {
                "averageOperationTimeMs": round(average, 3),
                "lastOperationTimeMs": round(breaker.last_seconds * 1000, 3),
            },
        }  # fmt: skip
        if config:
            item["config"] = msgspec.to_builtins(breaker.config)
        return item


class Breakers:
    """Services by name. ``clock`` is Unix seconds."""

    def __init__(
        self,
        hub: Hub,
        rows: BreakerRows,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        config: BreakerConfig | None = None,
    ) -> None:
        self._hub = hub
        self._rows = rows
        self._clock = clock
        self._monotonic = monotonic
        self._config = config or BreakerConfig()
        self._services: dict[str, Service] = {}
        self._told: deque[tuple[str, str, dict[str, Any]]] = deque(maxlen=WAITING)
        self._incidents: deque[Incident] = deque(maxlen=WAITING)
        self._configs: dict[str, BreakerConfig] = {}
        self._states: dict[str, StoredState] = {}  # of ours, to be stored
        self._read_to = datetime.fromtimestamp(0, UTC)
        self._wake = asyncio.Event()
        self.transitions = 0
        """Changes of state of all services."""

    def __iter__(self) -> Iterator[Service]:
        return iter(list(self._services.values()))

    def get(self, name: str) -> Service | None:
        """A service there is."""
        return self._services.get(name)

    def of(self, layer: Layer) -> list[Service]:
        """The services of a layer."""
        return [service for service in self if service.layer == layer]

    def status(self, layer: Layer) -> str:
        """``operational``, ``warning``, ``critical`` or ``unknown``: the worst of its services."""
        states = {service.breaker.state for service in self.of(layer)}
        if not states:
            return "unknown"
        if "open" in states:
            return "critical"
        return "operational" if states == {"closed"} else "warning"

    def add(
        self, name: str, layer: Layer, details: str = "", check: Check | None = None
    ) -> Breaker:
        """A new service of ours; the breaker guards it from now on."""
        breaker = self._breaker(name)
        self.watch(Service(breaker, layer, details, check))
        return breaker

    def _breaker(self, name: str) -> Breaker:
        return Breaker(name, self._config, clock=self._clock, monotonic=self._monotonic)

    def watch(self, service: Service) -> None:
        """Tell of a service and its breaker from now on."""
        self._services[service.name] = service
        if service.name in self._configs:
            service.breaker.configure(self._configs[service.name])
        service.breaker.on_change.append(lambda previous: self._changed(service, previous))

    async def load(self) -> None:
        """Read what administrators configured."""
        for name, stored in (await self._rows.configs()).items():
            try:
                self._configs[name] = msgspec.convert(stored, BreakerConfig)
            except msgspec.ValidationError as error:
                log.warning("breaker.config_refused", service=name, reason=str(error))
                continue
            if name in self._services:
                self._services[name].breaker.configure(self._configs[name])

    # ── changes ─────────────────────────────────────────────────────────────────────────

    def _changed(self, service: Service, previous: State) -> None:
        breaker = service.breaker
        state = breaker.state
        self.transitions += 1
        level = log.warning if state in ("open", "degraded") else log.info
        colour = COLOURS[state]
        level(
            "breaker.changed", service=service.name, state=state, before=previous, colour=colour,
            cause=breaker.cause if state != "closed" else None,
        )  # fmt: skip
        now = datetime.fromtimestamp(self._clock(), UTC)
        alert = None
        if state == "open":
            service.opened_at = service.opened_at or now
            self._store(Incident(service.name, service.opened_at, None, breaker.cause))
            alert = _alert("circuit_open", state, f"{service.name} is not called: {breaker.cause}")
        elif state == "closed" and service.opened_at is not None:
            self._store(Incident(service.name, service.opened_at, now, breaker.cause))
            service.opened_at = None
            alert = _alert("circuit_closed", state, f"{service.name} is called again")
        self.tell(service, previousStatus=previous, alert=alert)
        if service.own:
            self._states[service.name] = _stored(breaker)
        if state == "half_open":
            self._tell_admins(service, "recovery_attempt", attempt=breaker.recovery_attempts)
        elif alert is not None:
            self._tell_admins(service, alert["type"])

    def tell(self, service: Service, **fields: Any) -> None:
        """Push a service's item, with ``fields`` that are not None, to all who follow it."""
        said = {name: value for name, value in fields.items() if value is not None}
        item = {**service.shown(), **said}
        for label in ("services", f"service.{service.name}", f"layer.{service.layer}"):
            self._told.append((label, "service:update", item))
        layer = {"layer": service.layer, "status": self.status(service.layer)}
        self._told.append((f"layer.{service.layer}", "layer:status", {
            **layer, "services": [one.name for one in self.of(service.layer)],
        }))  # fmt: skip
        if "alert" in said:
            breaker = {"circuit_breaker": item["circuit_breaker"], "service": service.name}
            self._told.append(("services", "service:alert", {**breaker, "alert": said["alert"]}))
        self._wake.set()

    def _tell_admins(self, service: Service, what: str, **fields: Any) -> None:
        item = service.shown(config=True)
        self._told.append(("admin.circuit_breakers", f"admin:{what}", {**item, **fields}))
        self._wake.set()

    def _store(self, incident: Incident) -> None:
        self._incidents.append(incident)
        self._wake.set()

    async def run(self) -> None:
        """Tell what changed at once and store it as soon as that is possible, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            self._wake.clear()
            await self.step()

    async def step(self) -> None:
        """One turn of `run`."""
        for service in self:
            service.breaker.look()
        while self._told:
            label, type_, fields = self._told.popleft()
            try:
                await self._hub.stream(f"{ENDPOINT}/{label}").publish(type_, fields)
            except Unavailable:
                log.warning("breaker.broker_away")
        try:
            while self._incidents:
                await self._rows.put_incident(self._incidents[0])
                self._incidents.popleft()
            for name, stored in list(self._states.items()):
                await self._rows.put_state(stored)
                if self._states.get(name) is stored:
                    del self._states[name]
        except StoreUnavailable:
            log.debug("breaker.incidents_wait", incidents=len(self._incidents))

    # ── asking ──────────────────────────────────────────────────────────────────────────

    async def check(self, service: Service) -> bool:
        """Ask a service how it is, through its breaker; one that others report: by its state."""
        if service.check is None:
            return service.breaker.state in ("closed", "degraded")
        try:
            with contextlib.nullcontext() if service.guarded else service.breaker.guard():
                async with asyncio.timeout(CHECK_TIMEOUT):
                    await service.check()
        except BreakerOpen:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the breaker has counted it
            log.debug("breaker.check_failed", service=service.name, reason=str(error))
            return False
        return True

    async def read(self) -> None:
        """Take the states that other services write to ``circuit_breaker_states``."""
        try:
            found = await self._rows.states(self._read_to)
        except StoreUnavailable:
            return
        for stored, moment in found:
            self._read_to = max(self._read_to, moment)
            service = self._services.get(stored.service)
            if stored.state not in COLOURS or (service is not None and service.own):
                continue
            try:
                service = service or self._reported(stored.service, None)
            except WireError as error:
                log.warning("breaker.state_refused", service=stored.service, reason=error.message)
                continue
            service.breaker.adopt(cast("State", stored.state), "as it says itself")

    async def check_all(self) -> None:
        """Ask everybody of ours that may be asked, all at once; read what others say."""
        await self.read()
        own = [service for service in self if service.check is not None]
        await asyncio.gather(*(self.check(service) for service in own))

    # ── what administrators do ──────────────────────────────────────────────────────────

    def reset(self, service: Service, by: dict[str, Any]) -> None:
        """Close a breaker by hand."""
        service.breaker.reset()
        self.tell(service, reset_by=by)
        self._tell_admins(service, "circuit_reset", reset_by=by)

    async def configure(
        self, connection: Any, service: Service, changes: dict[str, Any]
    ) -> BreakerConfig:
        """Store another configuration; `apply` it when the transaction is over.

        Raises `WireError` ``INVALID_CONFIG``.
        """
        try:
            merged = {**msgspec.to_builtins(service.breaker.config), **changes}
            config = msgspec.convert(merged, BreakerConfig)
        except msgspec.ValidationError as error:
            raise WireError("INVALID_CONFIG", str(error)) from None
        await self._rows.configure(connection, service.name, merged)
        return config

    def apply(self, service: Service, config: BreakerConfig) -> None:
        """Judge a service by another configuration from now on."""
        self._configs[service.name] = config
        service.breaker.configure(config)
        self.tell(service)

    async def incidents(self, service: str | None, limit: int) -> list[Incident]:
        """The newest first."""
        return await self._rows.incidents(service, limit)

    # ── what others report ──────────────────────────────────────────────────────────────

    def _reported(self, name: str, layer: Layer | None) -> Service:
        """A new service that is not asked from here. `WireError` when there are too many."""
        if len(self._services) >= MOST:
            raise WireError("INVALID_SERVICE", "There are too many services")
        layer = layer or "infrastructure"
        made = Service(self._breaker(name), layer, "reported by itself", own=False)
        self.watch(made)
        return made

    def report(
        self, name: str, ok: bool, seconds: float, cause: str, layer: Layer | None
    ) -> Service:
        """Another service says how an operation of its own ended.

        Raises `WireError` ``INVALID_SERVICE`` when it is one of ours, or there are too many.
        """
        service = self._services.get(name) or self._reported(name, layer)
        if service.own:
            raise WireError("INVALID_SERVICE", f"{name} is watched from here")
        if layer is not None:
            service.layer = layer
        service.breaker.look()
        if ok:
            service.breaker.succeed(seconds)
        else:
            service.breaker.fail(cause or "an operation failed")
        return service


def _stored(breaker: Breaker) -> StoredState:
    last = (breaker.last_failure, breaker.last_success, breaker.last_reset)
    moments = [datetime.fromtimestamp(one, UTC) if one else None for one in last]
    return StoredState(breaker.name, breaker.state, breaker.failures, *moments)


def _alert(type_: str, state: State, message: str) -> dict[str, str]:
    return {"type": type_, "severity": SEVERITY[state], "message": message}


def _moment(seconds: float) -> str | None:
    return wire.iso(seconds) if seconds else None
