"""Price alerts over a real PostgreSQL: exact, once, nothing lost while it is away."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token, parse
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.errors import WireError
from fastws.store.pool import Database
from fastws.store.price_alerts import MOST, PriceAlert, PriceAlertRows
from tests.fakes import Clock


class World:
    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        for symbol in ("SOL", "BONK"):
            self.market.upsert(Token(address=f"{symbol}Mint", symbol=symbol))
        self.rows = PriceAlertRows(database)
        self.alerts = self.again()

    def again(self) -> PriceAlerts:
        """As after a restart."""
        self.told: list[PriceAlert] = []
        alerts = PriceAlerts(self.market, self.rows)

        async def tell(alert: PriceAlert) -> None:
            self.told.append(alert)

        alerts.on_fired.append(tell)
        return alerts

    def seal(self, price: str, symbol: str = "SOL") -> None:
        self.market.set(f"{symbol}Mint", "price", parse(price), digits=18)
        self.market.table.seal(self.clock.now)

    async def fired(self) -> list[int]:
        await self.alerts.check()
        told = [alert.id for alert in self.told]
        self.told.clear()
        return told


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_an_alert_fires_when_the_price_gets_there_and_only_once(world: World) -> None:
    world.seal("100")
    above = await world.alerts.add("w", "SOL", "above", Decimal("101.5"))
    below = await world.alerts.add("w", "SOL", "below", Decimal("99"))
    assert await world.fired() == []
    world.seal("101.49999999")
    assert await world.fired() == []
    world.seal("101.5")
    assert await world.fired() == [above.id]
    world.seal("98")
    assert await world.fired() == [below.id]
    world.seal("102")
    assert await world.fired() == []
    assert [one.fired_price for one in await world.alerts.of("w", True)] == [98, Decimal("101.5")]


async def test_prices_are_compared_to_the_last_digit(world: World) -> None:
    world.seal("0.100000000000001")
    alert = await world.alerts.add("w", "SOL", "above", Decimal("0.100000000000002"))
    assert await world.fired() == []
    world.seal("0.100000000000002")
    assert await world.fired() == [alert.id]


async def test_one_that_is_true_already_is_refused(world: World) -> None:
    world.seal("100")
    for condition in ("above", "below"):
        with pytest.raises(WireError) as refused:
            await world.alerts.add("w", "SOL", condition, Decimal(100))
        assert refused.value.code == "ALERT_ALREADY_TRUE"
    assert await world.alerts.of("w", None) == []


async def test_only_those_passed_fire_and_the_others_wait(world: World) -> None:
    world.seal("10")
    world.seal("10", "BONK")
    made = [await world.alerts.add("w", "SOL", "above", Decimal(11 + n)) for n in range(5)]
    other = await world.alerts.add("w", "BONK", "above", Decimal(11))
    world.seal("13")
    assert await world.fired() == [alert.id for alert in made[:3]]
    world.seal("11", "BONK")
    assert await world.fired() == [other.id]
    assert world.alerts.waiting == 2


async def test_after_a_restart_the_waiting_fire_and_the_fired_do_not(world: World) -> None:
    world.seal("100")
    first = await world.alerts.add("w", "SOL", "above", Decimal(101))
    second = await world.alerts.add("w", "SOL", "above", Decimal(103))
    world.seal("102")
    assert await world.fired() == [first.id]
    world.alerts = world.again()
    assert await world.fired() == []
    world.alerts = world.again()
    world.seal("104")
    assert await world.fired() == [second.id]


async def test_a_deleted_one_never_fires_and_is_only_the_owners_to_delete(world: World) -> None:
    world.seal("100")
    alert = await world.alerts.add("w", "SOL", "above", Decimal(101))
    assert not await world.alerts.delete("somebody", alert.id)
    assert await world.alerts.delete("w", alert.id)
    assert not await world.alerts.delete("w", alert.id)
    world.seal("102")
    assert await world.fired() == []


async def test_what_was_reached_while_the_database_is_away_fires_when_it_is_back(
    world: World, database: Database
) -> None:
    world.seal("100")
    alert = await world.alerts.add("w", "SOL", "above", Decimal(101))
    assert await world.fired() == []
    await database.stop()
    world.seal("102")
    assert await world.fired() == []
    world.seal("100")
    assert await world.fired() == []
    assert world.alerts.due == 1
    await database.start()
    assert await world.fired() == [alert.id]
    assert (await world.alerts.of("w", True))[0].fired_price == 102
    assert (world.alerts.due, world.alerts.waiting) == (0, 0)


async def test_a_user_has_at_most_a_hundred(world: World) -> None:
    world.seal("1")
    for number in range(MOST):
        await world.alerts.add("w", "SOL", "above", Decimal(2 + number))
    with pytest.raises(WireError) as refused:
        await world.alerts.add("w", "SOL", "above", Decimal(2))
    assert refused.value.code == "TOO_MANY_ALERTS"
    await world.alerts.add("other", "SOL", "above", Decimal(2))
