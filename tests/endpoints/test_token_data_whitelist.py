"""The whitelist and metadata on the wire: for administrators, and for anybody."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token
from fastws.domain.market.notices import Notices
from fastws.endpoints.token_data.metadata import announce_metadata
from fastws.endpoints.token_data.whitelist import announce_whitelist
from fastws.store.audit import Audit
from fastws.store.pool import Database
from tests.endpoints.books import make_token_data
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_hub, opened

MINT = "So11111111111111111111111111111111111111112"
COMMANDS: list[dict[str, Any]] = [
    {"type": "whitelist_get"},
    {"type": "whitelist_add", "address": MINT, "symbol": "SOL"},
    {"type": "whitelist_edit", "address": MINT, "version": 1, "name": "x"},
    {"type": "whitelist_remove", "address": MINT, "version": 1},
]


class World:
    def __init__(self, database: Database | None = None) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.hub.add_table(self.market.table, 100)
        self.notices = Notices(self.market)
        base = make_base(self.hub, self.clock)
        self.endpoint = make_token_data(base, self.market, database)
        self.endpoint._whitelist.on_changed.append(partial(announce_whitelist, self.hub))


async def test_an_administrator_lists_and_others_are_told(database: Database) -> None:
    world = World(database)
    conn, outlet, _ = await opened(world.endpoint, ADMIN, query={"automatic": "false"})
    other, heard, _ = await opened(world.endpoint, ADMIN, query={"automatic": "false"})
    await ask(other, heard, type="subscribe", channel="admin.tokens")
    (added,) = await ask(conn, outlet, **COMMANDS[1], id=4)
    assert (added["type"], added["id"], added["entry"]["version"]) == ("whitelist_added", 4, 1)
    (told,) = heard.take()
    assert (told["type"], told["action"], told["by"]) == (
        "whitelist_changed",
        "added",
        ADMIN.wallet,
    )
    assert told["entry"] == added["entry"]
    (edited,) = await ask(conn, outlet, **COMMANDS[2])
    assert (edited["entry"]["name"], edited["entry"]["symbol"]) == ("x", "SOL")
    (late,) = await ask(conn, outlet, **COMMANDS[3])
    assert (late["code"], late["version"]) == ("CONFLICT", 2)
    (removed,) = await ask(conn, outlet, **{**COMMANDS[3], "version": 2})
    assert removed["entry"]["listed"] is False
    (all_of_it,) = await ask(conn, outlet, type="whitelist_get")
    assert all_of_it["entries"] == [removed["entry"]]
    actions = [row["action"] for row in await Audit(database).latest()]
    assert actions == ["whitelist_removed", "whitelist_edited", "whitelist_added"]


@pytest.mark.parametrize("message", COMMANDS, ids=lambda message: message["type"])
async def test_others_may_not(message: dict[str, Any], database: Database) -> None:
    world = World(database)
    for who in (USER, None):
        conn, outlet, _ = await opened(
            world.endpoint, *([who] if who else []), query={"automatic": "false"}
        )
        (error,) = await ask(conn, outlet, **message)
        assert error["code"] == "UNAUTHORIZED"
        (error,) = await ask(conn, outlet, type="subscribe", channel="admin.tokens")
        assert error["code"] == "SUBSCRIPTION_DENIED"
    assert await Audit(database).latest() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "no mint"},
        {"address": MINT, "symbol": "two words"},
        {"address": MINT, "symbol": "SOL", "decimals": 300},
        {"address": MINT, "symbol": "SOL", "image_url": "javascript:alert(1)"},
        {"address": MINT},
    ],
)
async def test_what_cannot_be_listed_is_said(wrong: dict[str, Any], database: Database) -> None:
    world = World(database)
    conn, outlet, _ = await opened(world.endpoint, ADMIN, query={"automatic": "false"})
    (error,) = await ask(conn, outlet, type="whitelist_add", **wrong)
    assert error["code"] == "INVALID_REQUEST"
    assert len(world.market) == 0


async def test_metadata_is_asked_for_and_changes_are_told() -> None:
    world = World()
    conn, outlet, _ = await opened(world.endpoint, query={"automatic": "false"})
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana", decimals=9))
    (answer,) = await ask(
        conn, outlet, type="get_token_metadata", symbols=["SOL", "NOPE", MINT, "SOL"]
    )
    assert (answer["type"], answer["unknown"]) == ("token_metadata", ["NOPE"])
    assert [(one["address"], one["decimals"]) for one in answer["tokens"]] == [(MINT, 9)] * 2
    await ask(conn, outlet, type="subscribe", channel="public.metadata")
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana", decimals=8))
    await announce_metadata(world.hub, world.notices)
    (told,) = outlet.take()
    assert (told["type"], told["address"], told["changed"]) == (
        "token_metadata_changed",
        MINT,
        {"decimals": {"from": 9, "to": 8}},
    )
    await announce_metadata(world.hub, world.notices)
    assert outlet.take() == []
    many = [f"T{number}" for number in range(world.endpoint.base.limits.symbols + 1)]
    (error,) = await ask(conn, outlet, type="get_token_metadata", symbols=many)
    assert error["code"] == "TOO_MANY_ROWS"
