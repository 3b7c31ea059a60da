"""A user's tokens on the wire: his rows, his amounts, nobody else's (docs/wire.md, "Portfolio")."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token
from fastws.store.holdings import Holding
from tests.endpoints.books import make_token_data
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_hub, opened

LABEL = f"portfolio.{USER.wallet}"
OFF = {"automatic": "false"}


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.hub.add_table(self.market.table, 100)
        self.endpoint = make_token_data(make_base(self.hub, self.clock), self.market)
        for number in range(4):
            self.market.upsert(Token(address=f"mint{number}", symbol=f"T{number}"))
            self.market.set(f"mint{number}", "price", (number + 1, 0))
        self.flush()

    def flush(self) -> None:
        self.clock.now += 5
        self.hub.flush(self.clock.now)

    def holds(self, *holdings: Holding) -> None:
        """As if the database had said so."""
        wallet = USER.wallet
        assert wallet is not None
        self.endpoint._portfolios._held[wallet] = list(holdings)
        self.endpoint.changed(wallet, list(holdings))


async def test_rows_and_amounts_come_and_follow_the_holdings() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, USER, query=OFF)
    asked = {"type": "subscribe", "channel": LABEL, "format": "json", "rows": ["mint3"]}
    confirmed = (await ask(conn, outlet, **asked))[0]
    assert (confirmed["channel"], confirmed["kind"]) == (LABEL, "table")
    world.holds(Holding("mint1", Decimal("1.50")), Holding("mint2", None, 7, 40))
    (told,) = [frame for frame in outlet.take() if frame["type"] == "holdings"]
    assert told["holdings"] == [
        {"address": "mint1", "amount": "1.5"},
        {"address": "mint2", "contest_id": 7, "weight": 40},
    ]
    world.flush()
    rows = [row[1] for frame in outlet.take() for row in frame.get("rows", ())]
    assert rows == ["mint1", "mint2"]
    world.holds(Holding("mint2", None, 7, 40))
    world.market.set("mint2", "price", (9, 0))
    world.flush()
    frames = outlet.take()
    assert [frame["type"] for frame in frames] == ["holdings", "table"]
    assert frames[1]["removed"] == [1]
    other, heard, _ = await opened(world.endpoint, USER, query=OFF)
    frames = await ask(other, heard, type="subscribe", channel=LABEL, format="json")
    assert [frame["type"] for frame in frames][-1] == "holdings", "a second tab is told, too"
    assert frames[0]["filter"] == frames[-1]["filter"]


async def test_an_older_format_gets_tokens_whole() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, USER, query=OFF)
    await ask(conn, outlet, type="subscribe", channel=LABEL)
    world.holds(Holding("mint1", Decimal(2)))
    world.market.set("mint1", "price", (5, 0))
    world.market.set("mint3", "price", (5, 0))
    world.flush()
    told, tokens = outlet.take()
    assert told["type"] == "holdings"
    assert (tokens["type"], [one["address"] for one in tokens["data"]]) == (
        "portfolio_tokens",
        ["mint1"],
    )


@pytest.mark.parametrize("label", ["portfolio.somebody", "portfolio.", "portfolio.a.b"])
async def test_nobody_sees_anothers(label: str) -> None:
    world = World()
    for who in (USER, None):
        conn, outlet, _ = await opened(world.endpoint, *([who] if who else []), query=OFF)
        (error,) = await ask(conn, outlet, type="subscribe", channel=label, format="json")
        assert error["code"] == "SUBSCRIPTION_DENIED"
    assert len(world.endpoint._portfolios) == 0


async def test_an_administrator_may_look() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, ADMIN, query=OFF)
    frames = await ask(conn, outlet, type="subscribe", channel=LABEL, format="json")
    assert frames[0]["type"] == "subscription_confirmed"


async def test_wallets_nobody_follows_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastws.endpoints.token_data import portfolio

    monkeypatch.setattr(portfolio, "MOST", 3)
    world = World()
    conn, outlet, _ = await opened(world.endpoint, ADMIN, query=OFF)
    for number in range(10):
        label = f"portfolio.wallet{number}"
        await ask(conn, outlet, type="subscribe", channel=label, format="json")
        await ask(conn, outlet, type="unsubscribe", channel=label)
    assert len(world.endpoint._wallets) <= 3
    assert len(world.endpoint._portfolios) <= 3
