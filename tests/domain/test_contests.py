"""Contests and leaderboards: what the database says, and ranks that anybody can compute again."""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from fastws.domain.contests.lifecycle import bought
from fastws.store.contests import Standing, Weight
from fastws.store.pool import Database
from tests.endpoints.arena import PLAYER, START, Arena
from tests.fakes import ask

UNIT = Decimal("0.00000001")


@pytest.fixture
async def arena(database: Database) -> Arena:
    made = Arena(database)
    await made.begin()
    return made


async def recomputed(arena: Arena, contest: int) -> list[tuple[int, str, Decimal]]:
    """Places from PostgreSQL and the price table, in another arithmetic."""
    sql = """
        SELECT p.wallet_address, p.entry_time, h.token_address, h.quantity
        FROM contest_participants p
            JOIN fastws_contest_holdings h USING (contest_id, wallet_address)
        WHERE contest_id = $1
    """
    values: dict[str, Any] = {}
    for wallet, entry, address, quantity in await arena.database.fetch(sql, contest):
        price = Decimal(1)
        if address:
            mantissa, exponent = arena.market.table.get(address)["price"]
            price = Decimal(mantissa).scaleb(exponent)
        at, value = values.get(wallet, (entry, Decimal(0)))
        values[wallet] = at, value + (quantity * price).quantize(UNIT, ROUND_DOWN)
    order = sorted(values, key=lambda one: (-values[one][1], values[one][0], one))
    return [(rank, wallet, values[wallet][1]) for rank, wallet in enumerate(order, 1)]


def shown(arena: Arena, contest: int) -> list[tuple[int, str, Decimal]]:
    """Places as the table shows them."""
    board = arena.boards.get(contest)
    assert board is not None
    board.table.seal(0.0)
    rows = ((wallet, board.table.get(wallet)) for wallet in board.table.rows())
    return sorted((row["rank"], key, Decimal(row["value"][0]).scaleb(-8)) for key, row in rows)


async def test_ranks_are_those_of_a_recomputation_tick_for_tick(arena: Arena) -> None:
    """A thousand participants; a few of their portfolios are kept as cash."""
    rng = random.Random(5)
    symbols = [f"T{n}" for n in range(12)]
    wallets = [f"w{n}" for n in range(1000)]
    prices = {symbol: rng.uniform(1e-6, 200) for symbol in symbols}
    arena.price(**{symbol: f"{price:.9f}" for symbol, price in prices.items()})
    one = await arena.contest(*wallets)
    chosen = {wallet: rng.sample(symbols, 4) for wallet in wallets[:980]}
    for place, weight in enumerate((40, 30, 20, 5)):
        for symbol in symbols:
            some = [wallet for wallet, held in chosen.items() if held[place] == symbol]
            await arena.weigh(one, some, **{symbol: weight})
    async with arena.database.transaction() as connection:
        await arena.lifecycle.become(connection, one, "active")
    await arena.read()
    seen = set()
    for _ in range(10):
        for symbol in rng.sample(symbols, 5):
            prices[symbol] *= rng.uniform(0.8, 1.25)
            arena.price(**{symbol: f"{prices[symbol]:.9f}"})
        arena.boards.turn()
        assert shown(arena, one) == await recomputed(arena, one)
        seen.add(tuple(wallet for _, wallet, _ in shown(arena, one)))
    assert len(seen) > 5, "ranks changed"
    async with arena.database.transaction() as connection:
        await arena.lifecycle.become(connection, one, "completed")
    final = [(place, wallet, value) for place, wallet, value in await recomputed(arena, one)]
    await arena.read()
    arena.price(**dict.fromkeys(symbols, "1"))
    arena.boards.turn()
    assert shown(arena, one) == final, "frozen"
    sql = "SELECT final_rank, wallet_address, portfolio_value FROM contest_participants"
    assert sorted(tuple(row) for row in await arena.database.fetch(sql)) == final
    with pytest.raises(Exception, match="cannot become"):
        async with arena.database.transaction() as connection:
            await arena.lifecycle.become(connection, one, "completed")


async def test_standings_are_stored_once_whatever_happens(arena: Arena) -> None:
    one = await arena.contest("a", "b", status="active")
    rows = arena.contests._rows
    async with arena.database.transaction() as connection:
        assert await rows.end(connection, one, [Standing("a", 1, Decimal(5))])
        assert not await rows.end(connection, one, [Standing("b", 1, Decimal(9))])
    sql = "SELECT wallet_address, final_rank FROM contest_participants ORDER BY 1"
    assert [tuple(row) for row in await arena.database.fetch(sql)] == [("a", 1), ("b", None)]


async def test_equal_values_are_ordered_by_entry_then_wallet(arena: Arena) -> None:
    one = await arena.contest(status="active")
    for wallet in ("c", "a", "b"):
        await arena.enter(one, wallet, START)
    await arena.read()
    assert [wallet for _, wallet, _ in shown(arena, one)] == ["a", "b", "c"]


async def test_who_comes_late_buys_at_the_prices_of_now(arena: Arena) -> None:
    arena.price(SOL="100")
    one = await arena.contest("a")
    async with arena.database.transaction() as connection:
        await arena.lifecycle.become(connection, one, "active")
    await arena.enter(one, "late")
    await arena.weigh(one, ["late"], SOL=50)
    arena.price(SOL="200")
    await arena.read()
    await arena.lifecycle.turn()
    await arena.read()
    entry = arena.contests.get(one)
    assert entry is not None
    assert entry.holdings["late"] == {"": Decimal(50), "SOL": Decimal("0.25")}
    assert entry.holdings["a"] == {"": Decimal(100)}


def test_what_has_no_price_and_what_is_beyond_the_whole_stays_cash() -> None:
    prices = {"A": (2, 0), "B": (5, -1)}
    weights = [
        Weight("w", "A", 60),
        Weight("w", "B", 60),
        Weight("w", "C", 10),
        Weight("x", "A", 1),
    ]
    assert bought({"w": Decimal(100)}, weights, prices.get) == {
        "w": {"": Decimal(40), "A": Decimal(30)}
    }


async def test_a_contest_that_is_deleted_is_forgotten(arena: Arena) -> None:
    one = await arena.contest("a")
    assert arena.boards.get(one) is not None
    conn, outlet = await arena.come(PLAYER)
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    await arena.database.execute("DELETE FROM contests WHERE id = $1", one)
    await arena.read(one)
    await arena.turn()
    ended = [frame["channel"] for frame in outlet.take() if frame["type"] == "unsubscribed"]
    assert len(ended) == 4
    assert set(conn.subscriptions) == {"user.PlayerWa11et"}
    assert arena.contests.get(one) is None
    assert arena.boards.get(one) is None
