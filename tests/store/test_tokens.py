"""Tokens and prices as the platform keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fastws.store.pool import Database
from fastws.store.tokens import TokenRow, Tokens

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def row(address: str, symbol: str, price: str | None = None) -> TokenRow:
    given = None if price is None else Decimal(price)
    return TokenRow(0, address, symbol, symbol.title(), 6, True, Decimal(1000), price=given)


async def test_rows_with_and_without_a_price(database: Database) -> None:
    tokens = Tokens(database)
    await tokens.put([row("A", "AAA", "0.00000000012345678901"), row("B", "BBB")])
    first, second = await tokens.all()
    assert (first.address, first.symbol, first.name) == ("A", "AAA", "Aaa")
    assert first.price == Decimal("0.00000000012345678901")
    assert first.market_cap == 1000
    assert first.updated_at is not None
    assert (second.price, second.updated_at) == (None, None)
    assert [found.symbol for found in await tokens.some(["B", "nobody"])] == ["BBB"]


async def test_put_replaces_by_address(database: Database) -> None:
    tokens = Tokens(database)
    await tokens.put([row("A", "OLD", "1")])
    await tokens.put([row("A", "NEW", "2")])
    (found,) = await tokens.all()
    assert (found.symbol, found.price) == ("NEW", 2)


async def test_prices_since_a_moment(database: Database) -> None:
    tokens = Tokens(database)
    await tokens.put([row("A", "AAA", "1"), row("B", "BBB", "2")])
    prices = await tokens.prices_since(LONG_AGO, timedelta(0))
    assert {price.address: price.price for price in prices} == {"A": 1, "B": 2}
    newest = max(price.updated_at for price in prices)
    later = newest + timedelta(microseconds=1)
    assert await tokens.prices_since(later, timedelta(0)) == []
    assert len(await tokens.prices_since(later, timedelta(seconds=5))) == 2


async def test_price_age(database: Database) -> None:
    tokens = Tokens(database)
    assert await tokens.price_age() is None
    await tokens.put([row("A", "AAA", "1")])
    await database.execute("UPDATE token_prices SET updated_at = now() - interval '1 hour'")
    age = await tokens.price_age()
    assert age is not None
    assert 3600 <= age < 3700
