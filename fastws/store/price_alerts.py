"""The table ``fastws_price_alerts``: prices that users want to be told of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["MOST", "PriceAlert", "PriceAlertRows"]

MOST: Final = 100
"""Alerts of a user that wait, and as many that have fired and can still be read."""

_COLUMNS = """
    id, wallet_address, token_address, symbol, condition, price, created_at, fired_at, fired_price
"""


class PriceAlert(Struct, frozen=True):
    """One row. Prices are exact, in US dollars; ``fired_at`` is None while it waits."""

    id: int
    wallet: str
    address: str
    symbol: str
    condition: str
    price: Decimal
    created_at: datetime
    fired_at: datetime | None = None
    fired_price: Decimal | None = None


class PriceAlertRows:
    """Questions about price alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self) -> list[PriceAlert]:
        """Everybody's alerts that have not fired."""
        sql = f"SELECT {_COLUMNS} FROM fastws_price_alerts WHERE fired_at IS NULL"  # noqa: S608
        return [_alert(row) for row in await self._database.fetch(sql)]

    async def of(self, wallet: str, fired: bool | None = None) -> list[PriceAlert]:
        """A user's alerts, newest first; ``fired`` None means both kinds."""
        sql = f"""
            SELECT {_COLUMNS} FROM fastws_price_alerts
            WHERE wallet_address = $1
                AND ($2::boolean IS NULL OR (fired_at IS NOT NULL) = $2)
            ORDER BY id DESC
        """  # noqa: S608 - constant
        return [_alert(row) for row in await self._database.fetch(sql, wallet, fired)]

    async def add(
        self, wallet: str, address: str, symbol: str, condition: str, price: Decimal
    ) -> PriceAlert | None:
        """A new alert; None when the user has `MOST` already. Old fired ones are dropped."""
        async with self._database.transaction() as connection:
            # two of a user's connections may ask at once
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 5))", wallet
            )
            await connection.execute(
                """
                DELETE FROM fastws_price_alerts WHERE id IN (
                    SELECT id FROM fastws_price_alerts
                    WHERE wallet_address = $1 AND fired_at IS NOT NULL
                    ORDER BY fired_at DESC, id DESC OFFSET $2)
                """,
                wallet,
                MOST,
            )
            sql = f"""
                INSERT INTO fastws_price_alerts
                    (wallet_address, token_address, symbol, condition, price)
                SELECT $1::varchar, $2, $3, $4, $5 WHERE (
                    SELECT count(*) FROM fastws_price_alerts
                    WHERE wallet_address = $1 AND fired_at IS NULL) < $6
                RETURNING {_COLUMNS}
            """  # noqa: S608 - constant
            row = await connection.fetchrow(sql, wallet, address, symbol, condition, price, MOST)
        return None if row is None else _alert(row)

    async def delete(self, wallet: str, id: int) -> bool:
        """Whether the user had that alert; it is gone now."""
        sql = "DELETE FROM fastws_price_alerts WHERE wallet_address = $1 AND id = $2"
        return await self._database.execute(sql, wallet, id) == "DELETE 1"

    async def fire(self, prices: Mapping[int, Decimal]) -> list[PriceAlert]:
        """Write down by id at which price alerts fired; those that had not fired before."""
        sql = f"""
            UPDATE fastws_price_alerts SET fired_at = now(), fired_price = due.at
            FROM unnest($1::bigint[], $2::numeric[]) AS due (number, at)
            WHERE id = due.number AND fired_at IS NULL
            RETURNING {_COLUMNS}
        """  # noqa: S608 - constant
        rows = await self._database.fetch(sql, list(prices), list(prices.values()))
        return sorted((_alert(row) for row in rows), key=lambda alert: alert.id)


def _alert(row: Row | Any) -> PriceAlert:
    return PriceAlert(*row.values())
