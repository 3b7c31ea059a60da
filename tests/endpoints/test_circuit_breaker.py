"""The circuit-breaker endpoint: what is shown to whom, and what administrators do."""

from __future__ import annotations

from typing import Any

import pytest

from fastws.domain.breakers import Breakers
from fastws.domain.people import People
from fastws.endpoints.circuit_breaker import CircuitBreaker
from fastws.store.audit import Audit
from fastws.store.breakers import BreakerRows
from fastws.store.pool import Database
from fastws.store.users import Users
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_hub, opened


class World:
    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.audit = Audit(database)
        self.breakers = Breakers(self.hub, BreakerRows(database), self.clock, self.clock)
        self.healthy = True
        self.breaker = self.breakers.add("feed", "data", "prices", self.check)
        people = People(database, Users(database), self.audit)
        base = make_base(self.hub, self.clock)
        self.endpoint = CircuitBreaker(base, database, self.breakers, people)

    async def check(self) -> None:
        if not self.healthy:
            raise RuntimeError("stale")

    async def actions(self) -> list[str]:
        return [line["action"] for line in await self.audit.latest()]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


async def test_who_comes_sees_everything_and_no_configuration(world: World) -> None:
    _, _, frames = await opened(world.endpoint, USER)
    assert types(frames) == [
        "welcome", "subscription_confirmed", "services:state", "connection_established",
    ]  # fmt: skip
    assert frames[0]["channels"] == {
        "all": "services",
        "layers": ["data", "contest", "wallet", "infrastructure"],
        "services": ["feed"],
    }
    assert frames[0]["capabilities"]["resetCircuitBreaker"] is False
    (item,) = frames[2]["services"]
    assert (item["service"], item["status"], item["color"]) == ("feed", "unknown", "gray")
    assert "config" not in item
    _, _, frames = await opened(world.endpoint, ADMIN)
    assert frames[0]["capabilities"]["adminAccess"] is True
    assert types(frames).count("subscription_confirmed") == 2
    state = next(frame for frame in frames if frame["type"] == "services:state")
    assert state["services"][0]["config"]["threshold"] == 5


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "subscribe:layer"}, "MISSING_LAYER"),
        ({"type": "subscribe:layer", "layer": "x"}, "INVALID_LAYER"),
        ({"type": "subscribe:service"}, "MISSING_SERVICE"),
        ({"type": "subscribe:service", "service": "x"}, "INVALID_SERVICE"),
        ({"type": "subscribe", "channel": "service.x"}, "UNKNOWN_CHANNEL"),
        ({"type": "subscribe", "channel": "layer.x"}, "UNKNOWN_CHANNEL"),
        ({"type": "subscribe", "channel": "admin.circuit_breakers"}, "SUBSCRIPTION_DENIED"),
        ({"type": "service:health_check", "service": "feed"}, "UNAUTHORIZED"),
        ({"type": "service:reset_circuit_breaker", "service": "feed"}, "UNAUTHORIZED"),
        ({"type": "service:update_config", "service": "feed", "config": {}}, "UNAUTHORIZED"),
        ({"type": "service:config", "service": "feed"}, "UNAUTHORIZED"),
    ],
)
async def test_what_is_refused_has_a_code(world: World, message: dict[str, Any], code: str) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    (error,) = await ask(conn, outlet, **message)
    assert (error["type"], error["code"]) == ("error", code)


async def test_a_layer_has_its_services_and_hears_of_them(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER, query={"automatic": "false"})
    frames = await ask(conn, outlet, type="subscribe:layer", layer="data")
    assert types(frames) == ["subscription_confirmed", "layer:status"]
    assert frames[-1]["status"] == "operational"
    for _ in range(5):
        world.breaker.fail("no answer")
    await world.breakers.step()
    told = outlet.take()
    assert types(told) == ["service:update", "layer:status"] * 2
    assert [f["status"] for f in told] == ["degraded", "warning", "open", "critical"]
    assert told[2]["alert"]["type"] == "circuit_open"
    assert told[2]["previousStatus"] == "degraded"
    assert told[2]["color"] == "red"


async def test_a_health_check_asks_really(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, ADMIN)
    message = {"type": "service:health_check", "service": "feed"}
    (reply,) = await ask(conn, outlet, **message)
    assert (reply["healthy"], reply["status"]) == (True, "closed")
    world.healthy = False
    (reply,) = await ask(conn, outlet, **message)
    assert (reply["healthy"], reply["status"]) == (False, "degraded")
    await world.breakers.step()
    checked = [f for f in outlet.take() if "checked_by" in f]
    assert checked[0]["checked_by"] == {"role": "admin", "wallet": "AdminWa11et"}
    assert await world.actions() == ["health_check"] * 2


async def test_a_reset_closes_is_told_and_written_down(world: World) -> None:
    for _ in range(5):
        world.breaker.fail("no answer")
    conn, outlet, _ = await opened(world.endpoint, ADMIN)
    message = {"type": "service:reset_circuit_breaker", "service": "feed"}
    (reply,) = await ask(conn, outlet, **message)
    assert (reply["success"], reply["status"]) == (True, "closed")
    await world.breakers.step()
    told = outlet.take()
    assert "admin:circuit_reset" in types(told)
    assert any("reset_by" in frame for frame in told)
    assert await world.actions() == ["reset_circuit_breaker"]
    (incident,) = (await ask(conn, outlet, type="service:incidents"))[0]["incidents"]
    assert incident["service"] == "feed"
    assert incident["end"] is not None


async def test_a_configuration_is_changed(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, ADMIN)
    change = {"type": "service:update_config", "service": "feed", "config": {"threshold": 1}}
    (reply,) = await ask(conn, outlet, **change)
    assert reply["config"]["threshold"] == 1
    (reply,) = await ask(conn, outlet, type="service:config", service="feed")
    assert reply["config"]["threshold"] == 1
    world.breaker.fail("once")
    assert world.breaker.state == "open"
    assert await world.actions() == ["update_breaker_config"]
    (error,) = await ask(conn, outlet, **(change | {"config": {"threshold": 0}}))
    assert error["code"] == "INVALID_CONFIG"
