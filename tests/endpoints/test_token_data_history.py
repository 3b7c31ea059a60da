"""Candles on the wire: asked for, followed, refused (docs/wire.md, "History")."""

from __future__ import annotations

import pytest

from fastws._core.table import Table
from fastws.config import DatabaseConfig
from fastws.domain.market import COLUMNS, Market, Token
from fastws.store.pool import Database
from tests.endpoints.books import make_token_data
from tests.fakes import Clock, ask, make_base, make_hub, opened

BEGIN = 20_000 * 86_400


class World:
    """The endpoint over a market of one token whose seals make candles."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock(BEGIN)
        self.hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.endpoint = make_token_data(make_base(self.hub, self.clock), self.market, database)
        self.candles = self.endpoint._candles
        self.hub.add_table(self.market.table, 100, self.candles.collect)
        self.market.upsert(Token(address="SOLMint", symbol="SOL"))
        self.price(0, 100)

    def price(self, at: float, price: int) -> None:
        self.clock.now = BEGIN + at
        self.market.set("SOLMint", "price", (price, 0))
        self.hub.flush(self.clock.now)


async def test_history_is_what_was_stored_and_what_is_open(database: Database) -> None:
    world = World(database)
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    world.price(61, 110)
    world.clock.now = BEGIN + 62
    await world.candles.write()
    world.price(62.5, 105)
    (answer,) = await ask(conn, outlet, type="get_history", symbol="SOL", id=9)
    assert (answer["type"], answer["id"]) == ("history", 9)
    assert (answer["symbol"], answer["address"], answer["resolution"]) == ("SOL", "SOLMint", "1m")
    assert answer["candles"] == [
        [BEGIN, 100, 100, 100, 100, 0],
        [BEGIN + 60, 110, 110, 105, 105, 0],
    ]
    (answer,) = await ask(
        conn, outlet, type="get_history", symbol="SOLMint", resolution="1s", limit=1
    )
    assert answer["candles"] == [[BEGIN + 62, 105, 105, 105, 105, 0]]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"symbol": "NOPE"}, "TOKEN_NOT_FOUND"),
        ({"symbol": "SOL", "resolution": "2m"}, "INVALID_RESOLUTION"),
        ({"symbol": "SOL", "limit": 0}, "INVALID_REQUEST"),
        ({"symbol": "SOL", "limit": 1001}, "INVALID_REQUEST"),
        ({"symbol": "SOL", "since": "yesterday"}, "INVALID_REQUEST"),
        ({}, "INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_answered_is_said(asked: dict[str, object], code: str) -> None:
    world = World(Database("postgresql://nowhere", DatabaseConfig()))
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    (error,) = await ask(conn, outlet, type="get_history", **asked)
    assert (error["type"], error["code"]) == ("error", code)


async def test_while_the_database_is_away_the_live_candle_goes_on() -> None:
    world = World(Database("postgresql://nowhere", DatabaseConfig()))
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    (error,) = await ask(conn, outlet, type="get_history", symbol="SOL")
    assert error["code"] == "SERVICE_UNAVAILABLE"
    label = "candles.1m.SOL"
    confirmed, first = await ask(conn, outlet, type="subscribe", channel=label)
    assert (confirmed["type"], confirmed["channel"]) == ("subscription_confirmed", label)
    assert first["candle"] == [BEGIN, 100, 100, 100, 100, 0]
    world.price(30, 120)
    (frame,) = outlet.take()
    assert {**frame, "timestamp": ""} == {
        "type": "candle",
        "symbol": "SOL",
        "resolution": "1m",
        "address": "SOLMint",
        "candle": [BEGIN, 100, 120, 100, 120, 0],
        "channel": label,
        "timestamp": "",
    }


async def test_a_follower_hears_the_end_of_a_candle_and_its_own_token_only() -> None:
    world = World(Database("postgresql://nowhere", DatabaseConfig()))
    world.market.upsert(Token(address="BONKMint", symbol="BONK"))
    world.market.set("BONKMint", "price", (1, 0))
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    await ask(conn, outlet, type="subscribe", channel="candles.1m.SOLMint")
    world.price(58, 101)
    outlet.take()
    world.price(58.9, 102)
    world.price(60.5, 103)
    assert [frame["candle"] for frame in outlet.take()] == [
        [BEGIN, 100, 102, 100, 102, 0],
        [BEGIN + 60, 103, 103, 103, 103, 0],
    ]
    world.market.set("BONKMint", "price", (2, 0))
    world.clock.now += 5
    world.hub.flush(world.clock.now)
    assert outlet.take() == []


@pytest.mark.parametrize("label", ["candles.1m.NOPE", "candles.2m.SOL", "candles.1m", "candles."])
async def test_channels_there_are_not(label: str) -> None:
    world = World(Database("postgresql://nowhere", DatabaseConfig()))
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    (error,) = await ask(conn, outlet, type="subscribe", channel=label)
    assert error["code"] in ("UNKNOWN_CHANNEL", "INVALID_CHANNEL")
