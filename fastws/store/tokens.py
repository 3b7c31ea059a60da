"""The tables ``tokens`` and ``token_prices``, which the platform's token service writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["PriceRow", "TokenRow", "Tokens"]

_COLUMNS = """
    t.id, t.address, t.symbol, t.name, t.decimals, t.is_active, t.market_cap, t.change_24h,
    t.volume_24h, t.image_url, p.price, p.updated_at
    FROM tokens t LEFT JOIN token_prices p ON p.token_id = t.id
"""


class TokenRow(Struct, frozen=True):
    """A token and its price, if it has one. Money is in US dollars, the change in per cent."""

    id: int
    address: str
    symbol: str
    name: str
    decimals: int
    is_active: bool
    market_cap: Decimal | None = None
    change_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    image_url: str | None = None
    price: Decimal | None = None
    updated_at: datetime | None = None


class PriceRow(NamedTuple):
    """A price that was written."""

    address: str
    price: Decimal
    updated_at: datetime


class Tokens:
    """Questions about tokens."""

    NOTIFIED = "fastws_tokens"
    """Notification channel: changed addresses, one a line; empty means read everything."""

    NOTIFIED_PRICES = "fastws_token_prices"
    """A writer may notify here after a batch of prices, so that they are read at once. There
    is no trigger for it: prices are written too often (tables.md, seams)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[TokenRow]:
        """Every token, oldest first."""
        sql = f"SELECT {_COLUMNS} ORDER BY t.id"
        return [_token(row) for row in await self._database.fetch(sql)]

    async def some(self, addresses: Iterable[str]) -> list[TokenRow]:
        """The tokens of these addresses that exist."""
        sql = f"SELECT {_COLUMNS} WHERE t.address = ANY($1) ORDER BY t.id"
        return [_token(row) for row in await self._database.fetch(sql, list(addresses))]

    async def prices_since(self, moment: datetime, overlap: timedelta) -> list[PriceRow]:
        """Prices written after ``moment``, or up to ``overlap`` before it.

        The overlap catches transactions that committed later than they stamped.
        """
        sql = """
            SELECT t.address, p.price, p.updated_at
            FROM token_prices p JOIN tokens t ON t.id = p.token_id
            WHERE p.updated_at >= $1 ORDER BY p.updated_at
        """
        return [PriceRow(*row) for row in await self._database.fetch(sql, moment - overlap)]

    async def price_age(self) -> float | None:
        """Seconds since the newest price was written, by the database's clock."""
        age = await self._database.fetchval(
            "SELECT extract(epoch FROM now() - max(updated_at)) FROM token_prices"
        )
        return None if age is None else float(age)

    async def put(self, rows: Iterable[TokenRow]) -> None:
        """Insert or replace tokens by address, prices included: for seeding and tests.

        Ids are the database's; ``id`` and ``updated_at`` of the rows are not used.
        """
        sql = """
            WITH token AS (
                INSERT INTO tokens (address, symbol, name, decimals, is_active, market_cap,
                                    change_24h, volume_24h, image_url)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                ON CONFLICT (address) DO UPDATE SET symbol = excluded.symbol,
                    name = excluded.name, decimals = excluded.decimals,
                    is_active = excluded.is_active, market_cap = excluded.market_cap,
                    change_24h = excluded.change_24h, volume_24h = excluded.volume_24h,
                    image_url = excluded.image_url
                RETURNING id
            )
            INSERT INTO token_prices (token_id, price)
            SELECT id, $10::numeric FROM token WHERE $10::numeric IS NOT NULL
            ON CONFLICT (token_id) DO UPDATE SET price = excluded.price, updated_at = now()
        """
        await self._database.executemany(sql, [_values(row) for row in rows])


def _token(row: Row) -> TokenRow:
    return TokenRow(*row.values())


def _values(row: TokenRow) -> tuple[Any, ...]:
    names = TokenRow.__struct_fields__[1:-1]
    return tuple(getattr(row, name) for name in names)
