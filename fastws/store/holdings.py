"""What users hold, and what they have in contests that are going on."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from fastws.store.pool import Database

__all__ = ["Holding", "HoldingRows"]


class Holding(Struct, frozen=True):
    """A token of a wallet: an ``amount`` of it, or its ``weight`` in the portfolio of a contest."""

    address: str
    amount: Decimal | None = None
    contest: int | None = None
    weight: int | None = None


class HoldingRows:
    """Questions about holdings."""

    NOTIFIED = "fastws_holdings"
    """Notification channel: wallets, one a line; empty means read everything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, wallets: Iterable[str]) -> dict[str, list[Holding]]:
        """By wallet, tokens by address; wallets that hold nothing have an empty list."""
        asked = list(wallets)
        found: dict[str, list[Holding]] = {wallet: [] for wallet in asked}
        for row in await self._database.fetch(_OF, asked):
            wallet, *fields = row.values()
            found[wallet].append(Holding(*fields))
        return found

    async def put(self, wallet: str, address: str, amount: Decimal) -> None:
        """Set what a wallet holds of a token; nothing of it removes the row."""
        if not amount:
            sql = """
                DELETE FROM fastws_token_holdings
                WHERE wallet_address = $1 AND token_address = $2
            """
            await self._database.execute(sql, wallet, address)
            return
        sql = """
            INSERT INTO fastws_token_holdings (wallet_address, token_address, amount)
            VALUES ($1, $2, $3)
            ON CONFLICT (wallet_address, token_address)
            DO UPDATE SET amount = excluded.amount, updated_at = now()
        """
        await self._database.execute(sql, wallet, address, amount)


_OF = """
    SELECT wallet_address, token_address AS address, amount, NULL::int AS contest, NULL::int
    FROM fastws_token_holdings WHERE wallet_address = ANY($1)
    UNION ALL
    SELECT p.wallet_address, t.address, NULL, p.contest_id, p.weight::int
    FROM contest_portfolios p
        JOIN tokens t ON t.id = p.token_id JOIN contests c ON c.id = p.contest_id
    WHERE p.wallet_address = ANY($1) AND c.status IN ('pending', 'active')
    ORDER BY address, contest NULLS FIRST
"""
