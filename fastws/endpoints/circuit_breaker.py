"""``/circuit-breaker``: how everything is that the platform depends on (wire.md A7)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType, to_builtins

from fastws import policy
from fastws.connection import Connection
from fastws.domain.breakers import LAYERS, Breakers, Service
from fastws.domain.people import People
from fastws.endpoint import Base, Endpoint, command
from fastws.errors import WireError
from fastws.hub import Channel
from fastws.identity import Author, Role
from fastws.store.breakers import Incident
from fastws.store.pool import Database
from fastws.wire import Message, Reply, iso

__all__ = ["CircuitBreaker"]

LABEL: Final = re.compile(r"(?:service\.(?P<service>.+)|layer\.(?P<layer>[a-z]+))", re.DOTALL)
ADMINS: Final = "admin.circuit_breakers"

MISSING_SERVICE: Final = {"service": ("MISSING_SERVICE", "Service name is required")}
MISSING_LAYER: Final = {"layer": ("MISSING_LAYER", "Layer name is required")}


class OfLayer(Message):
    """A layer."""

    layer: str


class OfService(Message):
    """A service."""

    service: Annotated[str, Meta(max_length=128)]


class UpdateConfig(OfService):
    """``service:update_config``: what is left out stays."""

    config: dict[str, Any]


class GetIncidents(Message):
    """``service:incidents``: of one service or of all, newest first."""

    service: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class CircuitBreaker(Endpoint):
    """States, transitions and incidents of services."""

    path = "circuit-breaker"

    def __init__(self, base: Base, database: Database, breakers: Breakers, people: People) -> None:
        super().__init__(base)
        self._database = database
        self._breakers = breakers
        self._people = people

    def welcome(self, conn: Connection) -> Reply:
        """What this client may do, and what there is."""
        admin = policy.is_admin(conn.identity)
        return Reply(
            "welcome",
            message="Circuit Breaker WebSocket Connected",
            capabilities={
                "subscribe": True,
                "healthCheck": admin,
                "resetCircuitBreaker": admin,
                "adminAccess": admin,
            },
            channels={
                "all": "services",
                "layers": list(LAYERS),
                "services": sorted(service.name for service in self._breakers),
            },
        )

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """Everything; what administrators do for administrators."""
        return ("services", ADMINS)

    def channel(self, label: str) -> Channel | None:
        """``services``, one of them, a layer, the administrators'."""
        found = LABEL.fullmatch(label)
        known = label in ("services", ADMINS)
        if found is not None:
            known = (
                found["layer"] in LAYERS or self._breakers.get(found["service"] or "") is not None
            )
        return self.hub.stream(f"{self.path}/{label}") if known else None

    async def initial(self, conn: Connection, label: str) -> list[Reply]:
        """How it is now."""
        found = LABEL.fullmatch(label)
        if label == "services":
            return [self._all(conn)]
        if found is None:
            return []
        if found["layer"]:
            return [self._layer(found["layer"], conn)]
        return [Reply("service:update", **self._item(conn, self._service(found["service"])))]

    # ── what is shown ───────────────────────────────────────────────────────────────────

    def _item(self, conn: Connection, service: Service) -> dict[str, Any]:
        return {
            **service.shown(config=policy.is_admin(conn.identity)),
            "timestamp": iso(self.clock()),
        }

    def _all(self, conn: Connection) -> Reply:
        services = sorted(self._breakers, key=lambda service: service.name)
        return Reply("services:state", services=[self._item(conn, one) for one in services])

    def _layer(self, layer: str, conn: Connection) -> Reply:
        for known in LAYERS:
            if known == layer:
                services = [self._item(conn, one) for one in self._breakers.of(known)]
                status = self._breakers.status(known)
                return Reply("layer:status", layer=layer, status=status, services=services)
        raise WireError("INVALID_LAYER", f"Invalid layer: {layer[:64]}")

    def _service(self, name: str) -> Service:
        found = self._breakers.get(name)
        if found is None:
            raise WireError("INVALID_SERVICE", f"Invalid service: {name[:64]}")
        return found

    @command("subscribe:services", "subscribe_all", cost=5)
    async def subscribe_services(self, conn: Connection, msg: Message) -> Reply:
        """Follow everything."""
        self.attach(conn, "services").open()
        return self._all(conn)

    @command("subscribe:layer", invalid=MISSING_LAYER)
    async def subscribe_layer(self, conn: Connection, msg: OfLayer) -> Reply:
        """Follow a layer and its services."""
        reply = self._layer(msg.layer, conn)
        self.attach(conn, f"layer.{msg.layer}").open()
        return reply

    @command("subscribe:service", invalid=MISSING_SERVICE)
    async def subscribe_service(self, conn: Connection, msg: OfService) -> Reply:
        """Follow one service."""
        service = self._service(msg.service)
        self.attach(conn, f"service.{service.name}").open()
        return Reply("service:update", **self._item(conn, service))

    # ── what administrators do ──────────────────────────────────────────────────────────

    @command("service:health_check", role=Role.ADMIN, invalid=MISSING_SERVICE, cost=5)
    async def health_check(self, conn: Connection, msg: OfService) -> Reply:
        """Ask a service now, whoever reports it otherwise."""
        service = self._service(msg.service)
        author = conn.author
        healthy = await self._breakers.check(service)
        details = {"service": service.name, "healthy": healthy}
        await self._people.record_when_possible(author, "health_check", **details)
        self._breakers.tell(service, checked_by=_by(author))
        item = service.shown()
        return Reply(
            "service:health_check_result",
            service=service.name,
            healthy=healthy,
            status=item["status"],
            circuit_breaker=item["circuit_breaker"],
        )

    @command("service:reset_circuit_breaker", role=Role.ADMIN, invalid=MISSING_SERVICE)
    async def reset_circuit_breaker(self, conn: Connection, msg: OfService) -> Reply:
        """Close a breaker by hand."""
        service = self._service(msg.service)
        author = conn.author
        before = service.breaker.state
        details = {"service": service.name, "before": before}
        await self._people.record_when_possible(author, "reset_circuit_breaker", **details)
        self._breakers.reset(service, _by(author))
        return Reply(
            "service:circuit_breaker_reset_result",
            service=service.name,
            success=True,
            status=service.breaker.state,
            details=f"It was {before}",
        )

    @command("service:config", role=Role.ADMIN, invalid=MISSING_SERVICE)
    async def config(self, conn: Connection, msg: OfService) -> Reply:
        """When a breaker opens and when it tries again."""
        service = self._service(msg.service)
        config = to_builtins(service.breaker.config)
        return Reply("service:config", service=service.name, config=config)

    @command("service:update_config", role=Role.ADMIN, invalid=MISSING_SERVICE)
    async def update_config(self, conn: Connection, msg: UpdateConfig) -> Reply:
        """Change that; it stays over restarts."""
        service = self._service(msg.service)
        author = conn.author
        async with self._database.transaction() as connection:
            config = await self._breakers.configure(connection, service, msg.config)
            made = to_builtins(config)
            details = {"service": service.name, "config": made}
            await self._people.record(author, "update_breaker_config", connection, **details)
        self._breakers.apply(service, config)
        return Reply("service:config_updated", service=service.name, config=made)

    @command("service:incidents", invalid="INVALID_REQUEST", cost=5)
    async def incidents(self, conn: Connection, msg: GetIncidents) -> Reply:
        """When services were not called, and why."""
        name = None if msg.service is UNSET else self._service(msg.service).name
        found = await self._breakers.incidents(name, msg.limit)
        return Reply("service:incidents", incidents=[_incident(one) for one in found])


def _by(author: Author) -> dict[str, str]:
    return {"role": str(author.role), "wallet": author.wallet}


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "service": one.service,
        "begin": iso(one.begun_at.timestamp()),
        "end": None if one.ended_at is None else iso(one.ended_at.timestamp()),
        "cause": one.cause,
    }
