"""Breakers of the platform: what is told and stored of each change, and what others report."""

from __future__ import annotations

import pytest

from fastws.domain.breakers import Breakers, Service
from fastws.errors import WireError
from fastws.hub import Stream
from fastws.store.breakers import BreakerRows, StoredState
from fastws.store.pool import Database
from tests.fakes import Clock, make_hub


class World:
    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.rows = BreakerRows(database)
        self.breakers = Breakers(self.hub, self.rows, self.clock, self.clock)

    def told(self, label: str) -> int:
        found = self.hub.find(f"circuit-breaker/{label}")
        return found.offset if isinstance(found, Stream) else 0


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def fail(service: Service, times: int = 5) -> None:
    for _ in range(times):
        service.breaker.fail("no answer")


async def test_an_opening_is_told_to_all_who_follow_it_and_is_an_incident(world: World) -> None:
    world.breakers.add("db", "data")
    service = world.breakers.get("db")
    assert service is not None
    fail(service)
    await world.breakers.step()
    assert world.told("service.db") == 2, "degraded, open"
    assert world.told("layer.data") == 4
    assert world.told("services") == 3, "and the alert"
    assert world.told("admin.circuit_breakers") == 1
    (incident,) = await world.rows.incidents("db", 10)
    assert (incident.ended_at, incident.cause) == (None, "no answer")
    assert world.breakers.status("data") == "critical"
    world.clock.now += 60
    await world.breakers.step()
    assert service.breaker.state == "half_open"
    fail(service, 1)
    world.clock.now += 120
    await world.breakers.step()
    service.breaker.succeed(0.01)
    await world.breakers.step()
    (incident,) = await world.rows.incidents(None, 10)
    assert incident.ended_at is not None
    assert (incident.ended_at - incident.begun_at).total_seconds() == 180
    assert world.breakers.status("data") == "operational"


async def test_what_lasts_no_time_is_told_too(world: World) -> None:
    breaker = world.breakers.add("db", "data")
    service = world.breakers.get("db")
    assert service is not None
    fail(service)
    breaker.reset()
    await world.breakers.step()
    assert world.told("service.db") == 3


async def test_a_check_goes_by_the_breaker_and_stops_with_it(world: World) -> None:
    asked = []

    async def check() -> None:
        asked.append(1)
        raise RuntimeError("ill")

    world.breakers.add("probe", "infrastructure", check=check)
    for _ in range(8):
        await world.breakers.check_all()
    assert len(asked) == 5
    service = world.breakers.get("probe")
    assert service is not None
    assert service.shown()["status"] == "open"
    assert service.shown()["circuit_breaker"]["details"] == "ill"
    assert "config" not in service.shown()
    assert service.shown(config=True)["config"]["threshold"] == 5


async def test_others_report_their_own_and_not_ours(world: World) -> None:
    world.breakers.add("db", "data")
    with pytest.raises(WireError, match="watched from here"):
        world.breakers.report("db", True, 0.1, "", None)
    for _ in range(5):
        service = world.breakers.report("wallets", False, 0.1, "timeout", "wallet")
    assert service.breaker.state == "open"
    assert service.layer == "wallet"
    assert service.breaker.cause == "timeout"
    world.breakers.report("wallets", True, 0.2, "", None)
    assert service.breaker.state == "closed", "they say so"
    for number in range(498):
        world.breakers.report(f"s{number}", True, 0.0, "", None)
    with pytest.raises(WireError, match="too many"):
        world.breakers.report("one more", True, 0.0, "", None)


async def test_a_configuration_is_checked_stored_and_read(world: World, database: Database) -> None:
    world.breakers.add("db", "data")
    service = world.breakers.get("db")
    assert service is not None
    async with database.transaction() as connection:
        for bad in ({"threshold": 0}, {"what": 1}, {"open_seconds": "long"}):
            with pytest.raises(WireError) as refused:
                await world.breakers.configure(connection, service, bad)
            assert refused.value.code == "INVALID_CONFIG"
        config = await world.breakers.configure(connection, service, {"threshold": 2})
    world.breakers.apply(service, config)
    again = World(database)
    again.breakers.add("db", "data")
    await again.breakers.load()
    known = again.breakers.get("db")
    assert known is not None
    fail(known, 2)
    assert known.breaker.state == "open"


async def test_incidents_wait_for_the_database(world: World, database: Database) -> None:
    world.breakers.add("db", "data")
    service = world.breakers.get("db")
    assert service is not None
    database.available = False
    fail(service)
    await world.breakers.step()
    assert world.told("service.db") == 2, "told without it"
    database.available = True
    await world.breakers.step()
    assert len(await world.rows.incidents(None, 10)) == 1


async def test_states_go_to_the_table_and_others_are_read_from_it(
    world: World, database: Database
) -> None:
    world.breakers.add("db", "data")
    service = world.breakers.get("db")
    assert service is not None
    fail(service)
    await world.breakers.step()
    sql = "SELECT state, failures FROM circuit_breaker_states WHERE service_name = 'db'"
    assert tuple(await database.fetchrow(sql) or ()) == ("open", 5)
    await world.rows.put_state(StoredState("wallets", "open", 7))
    await database.execute("UPDATE circuit_breaker_states SET state = 'closed' WHERE failures = 5")
    await world.breakers.check_all()
    wallets = world.breakers.get("wallets")
    assert wallets is not None
    assert wallets.breaker.state == "open"
    assert service.breaker.state == "open", "ours is judged here"
    await world.rows.put_state(StoredState("wallets", "closed", 0))
    await world.breakers.read()
    assert wallets.breaker.state == "closed"
    assert not wallets.own
