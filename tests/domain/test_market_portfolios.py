"""Holdings over a real PostgreSQL: read, notified, read again after it was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fastws.config import DatabaseConfig
from fastws.domain.market.portfolios import Portfolios
from fastws.store.holdings import Holding, HoldingRows
from fastws.store.migrate import migrate
from fastws.store.pool import Database
from fastws.store.tokens import TokenRow, Tokens

ALICE, BOB = "alice", "bob"


class World:
    def __init__(self, url: str) -> None:
        self.database = Database(url, DatabaseConfig())
        self.rows = HoldingRows(self.database)
        self.portfolios = Portfolios(self.database, self.rows)
        self.told: asyncio.Queue[tuple[str, list[Holding]]] = asyncio.Queue()
        self.portfolios.changed = lambda *said: self.told.put_nowait(said)

    async def next(self) -> tuple[str, list[Holding]]:
        return await asyncio.wait_for(self.told.get(), 20)


@pytest.fixture
async def world(fresh_url: str) -> AsyncIterator[World]:
    made = World(fresh_url)
    await made.database.start()
    await migrate(made.database)
    running = asyncio.create_task(made.portfolios.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.database.stop()


async def test_what_a_wallet_holds_is_read_and_told_when_it_changes(world: World) -> None:
    await world.rows.put(ALICE, "mint1", Decimal("1.50"))
    world.portfolios.follow(ALICE)
    assert world.portfolios.of(ALICE) is None
    assert await world.next() == (ALICE, [Holding("mint1", Decimal("1.50"))])
    await world.rows.put(BOB, "mint1", Decimal(7))
    await world.rows.put(ALICE, "mint0", Decimal("0.000000000000000001"))
    wallet, holdings = await world.next()
    assert (wallet, [one.address for one in holdings]) == (ALICE, ["mint0", "mint1"])
    assert holdings == world.portfolios.of(ALICE)
    await world.rows.put(ALICE, "mint1", Decimal(0))
    assert [one.address for one in (await world.next())[1]] == ["mint0"]
    assert world.portfolios.of(BOB) is None, "nobody looks"
    world.portfolios.forget(ALICE)
    assert len(world.portfolios) == 0


async def test_what_he_has_in_contests_belongs_to_it(world: World) -> None:
    await Tokens(world.database).put([TokenRow(0, "mint1", "ONE", "One", 9, True)])
    begun = datetime.now(UTC)
    for code, status in (("a", "active"), ("b", "completed")):
        await world.database.execute(
            "WITH c AS (INSERT INTO contests (contest_code, name, start_time, end_time, status)"
            " VALUES ($1, $1, $2, $3, $4::contest_status) RETURNING id)"
            " INSERT INTO contest_portfolios (contest_id, wallet_address, token_id, weight)"
            " SELECT c.id, $5, tokens.id, 40 FROM c, tokens",
            code, begun, begun + timedelta(hours=1), status, ALICE,
        )  # fmt: skip
    world.portfolios.follow(ALICE)
    ((_, holdings),) = (await world.next(),)
    assert [(one.address, one.amount, one.weight) for one in holdings] == [("mint1", None, 40)]


async def test_many_wallets_in_one_statement_are_all_read(world: World) -> None:
    wallets = [f"wallet{number:050}" for number in range(300)]
    for wallet in wallets[:3]:
        world.portfolios.follow(wallet)
    assert [(await world.next())[1] for _ in range(3)] == [[], [], []]
    await world.database.execute(
        "INSERT INTO fastws_token_holdings SELECT unnest($1::text[]), 'mint', 1", wallets
    )
    assert {(await world.next())[0] for _ in range(3)} == set(wallets[:3])


async def test_while_the_database_is_away_it_is_asked_again() -> None:
    database = Database("postgresql://nowhere", DatabaseConfig())
    portfolios = Portfolios(database, HoldingRows(database))
    portfolios.follow(ALICE)
    await portfolios.read()
    assert portfolios.of(ALICE) is None
    assert portfolios._asked == {ALICE}
