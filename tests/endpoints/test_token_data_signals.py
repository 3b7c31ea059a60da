"""Market alerts on the wire: pushed, kept, asked for (docs/wire.md, "Market alerts")."""

from __future__ import annotations

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token
from fastws.domain.market.signals import MarketAlert
from fastws.endpoints.token_data.signals import announce_signals
from tests.endpoints.books import make_token_data
from tests.fakes import Clock, ask, make_base, make_hub, opened


class World:
    """The endpoint, and alerts as if they had been found."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.hub.add_table(self.market.table, 100)
        self.endpoint = make_token_data(make_base(self.hub, self.clock), self.market)
        self.signals = self.endpoint._signals
        for symbol in ("SOL", "BONK"):
            self.market.upsert(Token(address=f"{symbol}Mint", symbol=symbol))
        self.hub.flush(1.0)

    async def found(self, number: int, kind: str, symbol: str = "SOL", **more: object) -> None:
        alert = MarketAlert(
            number,
            kind,
            f"{symbol}Mint",
            symbol,
            1_700_000_000.0,
            1.5,
            **more,  # type: ignore[arg-type]
        )
        self.signals._fresh.append(alert)
        self.signals._kept.append(alert)
        await announce_signals(self.hub, self.signals)


async def test_a_guest_is_told_and_resumes_without_a_gap() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    (confirmed,) = await ask(conn, outlet, type="subscribe", channel="market.alerts")
    assert (confirmed["kind"], confirmed["offset"]) == ("stream", 0)
    await world.found(1, "price_move", value=7.123456, usual=0.5)
    (told,) = outlet.take()
    assert {**told, "timestamp": ""} == {
        "type": "market_alert",
        "alert_id": 1,
        "kind": "price_move",
        "address": "SOLMint",
        "symbol": "SOL",
        "at": "2023-11-14T22:13:20.000Z",
        "price": 1.5,
        "value": 7.12,
        "usual": 0.5,
        "offset": 1,
        "channel": "market.alerts",
        "timestamp": "",
    }
    await ask(conn, outlet, type="unsubscribe", channel="market.alerts")
    await world.found(2, "trend_change", state="up")
    since = {"epoch": confirmed["epoch"], "offset": 1}
    frames = await ask(conn, outlet, type="subscribe", channel="market.alerts", since=since)
    assert [frame.get("state") for frame in frames] == [None, "up"]
    assert frames[0]["recovered"] is True
    assert "value" not in frames[1]


async def test_the_last_ones_by_token_and_kind() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    for number in range(6):
        symbol, kind = ("SOL", "price_move") if number % 2 else ("BONK", "volume_spike")
        await world.found(number, kind, symbol)

    async def asked(**fields: object) -> list[int]:
        (answer,) = await ask(conn, outlet, type="get_market_alerts", **fields)
        assert answer["type"] == "market_alerts"
        return [alert["alert_id"] for alert in answer["alerts"]]

    assert await asked() == [5, 4, 3, 2, 1, 0]
    assert await asked(limit=2) == [5, 4]
    assert await asked(symbol="SOL") == [5, 3, 1]
    assert await asked(symbol="BONKMint", kind="volume_spike", limit=1) == [4]
    assert await asked(kind="status_change") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "NOPE"}, "TOKEN_NOT_FOUND"),
        ({"limit": 501}, "INVALID_REQUEST"),
        ({"kind": "rumour"}, "INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_answered_is_said(fields: dict[str, object], code: str) -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    (error,) = await ask(conn, outlet, type="get_market_alerts", **fields)
    assert error["code"] == code
