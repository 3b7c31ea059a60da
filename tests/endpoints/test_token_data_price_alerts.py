"""Price alerts on the wire: set, pushed when fired, read, deleted (wire.md A5)."""

from __future__ import annotations

from functools import partial

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token
from fastws.endpoints.token_data.price_alerts import announce
from fastws.store.pool import Database
from tests.endpoints.books import make_token_data
from tests.fakes import USER, Clock, ask, make_base, make_hub, opened


class World:
    def __init__(self, database: Database | None = None) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.hub.add_table(self.market.table, 100)
        base = make_base(self.hub, self.clock)
        self.endpoint = make_token_data(base, self.market, database)
        self.alerts = self.endpoint._price_alerts
        self.alerts.on_fired.append(partial(announce, self.hub))
        self.market.upsert(Token(address="SOLMint", symbol="SOL"))
        self.price(100)

    def price(self, price: int) -> None:
        self.market.set("SOLMint", "price", (price, 0))
        self.flush()

    def flush(self) -> None:
        self.clock.now += 1
        self.hub.flush(self.clock.now)


async def test_set_fired_read_deleted(database: Database) -> None:
    world = World(database)
    conn, outlet, _ = await opened(world.endpoint, USER)
    label = f"user.{USER.wallet}.alerts"
    assert (await ask(conn, outlet, type="subscribe", channel=label))[0]["channel"] == label
    (made,) = await ask(
        conn, outlet, type="set_price_alert", symbol="SOL", condition="above", price="101.50", id=7
    )
    assert (made["type"], made["id"]) == ("price_alert_set", 7)
    number = made["alert"]["alert_id"]
    assert made["alert"]["price"] == "101.5"
    assert made["alert"]["fired_at"] is None
    world.price(102)
    await world.alerts.check()
    (kept,) = (await ask(conn, outlet, type="get_price_alerts", fired=True))[-1]["alerts"]
    assert (kept["alert_id"], kept["fired_price"]) == (number, "102")
    (gone,) = await ask(conn, outlet, type="delete_price_alert", alert_id=number)
    assert (gone["type"], gone["alert_id"]) == ("price_alert_deleted", number)
    (error,) = await ask(conn, outlet, type="delete_price_alert", alert_id=number)
    assert error["code"] == "ALERT_NOT_FOUND"


@pytest.mark.parametrize("price", ["1e3", "-1", "0", "", "nan", "x"])
async def test_a_price_is_a_positive_decimal_text(price: str) -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, USER)
    message = {"symbol": "SOL", "condition": "above", "price": price}
    (error,) = await ask(conn, outlet, type="set_price_alert", **message)
    assert error["code"] == "INVALID_REQUEST"


async def test_guests_have_none_and_nobody_follows_anothers(database: Database) -> None:
    world = World(database)
    conn, outlet, _ = await opened(world.endpoint)
    (error,) = await ask(conn, outlet, type="get_price_alerts")
    assert error["code"] == "UNAUTHORIZED"
    conn, outlet, _ = await opened(world.endpoint, USER)
    (error,) = await ask(conn, outlet, type="subscribe", channel="user.another.alerts")
    assert error["code"] == "SUBSCRIPTION_DENIED"


async def test_an_unknown_token_and_a_repeating_alert_are_refused() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, USER)
    message = {"type": "set_price_alert", "condition": "below", "price": "1"}
    (error,) = await ask(conn, outlet, symbol="NONE", **message)
    assert error["code"] == "TOKEN_NOT_FOUND"
    (error,) = await ask(conn, outlet, symbol="SOL", once=False, **message)
    assert error["code"] == "INVALID_REQUEST"
