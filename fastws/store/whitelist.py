"""The table ``fastws_token_whitelist``: how administrators want tokens listed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["Entry", "WhitelistRows"]

_COLUMNS: Final = (
    "address, symbol, name, decimals, image_url, listed, version, updated_at, updated_by"
)


class Entry(Struct, frozen=True):
    """A token as it is to be listed; None leaves a field to the sources.

    ``version`` grows with each change. ``listed`` false keeps a token off the list.
    """

    address: str
    symbol: str
    name: str | None
    decimals: int | None
    image_url: str | None
    listed: bool
    version: int
    updated_at: datetime
    updated_by: str


class WhitelistRows:
    """Questions about the whitelist. Writers hand in the connection of their transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Entry]:
        """Every entry, by symbol."""
        sql = f"SELECT {_COLUMNS} FROM fastws_token_whitelist ORDER BY symbol, address"  # noqa: S608
        return [_entry(row) for row in await self._database.fetch(sql)]

    async def lock(self, connection: Any, address: str) -> Entry | None:
        """The entry of a token; nobody else changes it before the transaction ends."""
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 6))", address)
        sql = f"SELECT {_COLUMNS} FROM fastws_token_whitelist WHERE address = $1"  # noqa: S608
        row = await connection.fetchrow(sql, address)
        return None if row is None else _entry(row)

    async def put(self, connection: Any, address: str, by: str, **fields: Any) -> Entry:
        """Insert or replace an entry: ``symbol, name, decimals, image_url, listed``."""
        sql = f"""
            INSERT INTO fastws_token_whitelist AS kept
                (address, symbol, name, decimals, image_url, listed, updated_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (address) DO UPDATE SET symbol = excluded.symbol, name = excluded.name,
                decimals = excluded.decimals, image_url = excluded.image_url,
                listed = excluded.listed, updated_by = excluded.updated_by,
                updated_at = now(), version = kept.version + 1
            RETURNING {_COLUMNS}
        """  # noqa: S608 - constant
        values = (fields[name] for name in ("symbol", "name", "decimals", "image_url", "listed"))
        return _entry(await connection.fetchrow(sql, address, *values, by))


def _entry(row: Row) -> Entry:
    return Entry(*row.values())
