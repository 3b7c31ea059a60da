"""The table ``fastws_flags``: what is on, for whom."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from fastws.store.pool import Database

__all__ = ["Flag", "FlagRows"]


class Flag(Struct, frozen=True):
    """A flag: on for the ``wallets``, and for ``percentage`` of the others.

    ``environments`` empty: in all of them.
    """

    name: str
    enabled: bool
    percentage: Decimal = Decimal(100)
    wallets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    updated_at: datetime | None = None
    updated_by: str = ""


class FlagRows:
    """Questions about flags."""

    NOTIFIED = "fastws_flags"
    """Notification channel: read them again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Flag]:
        """Every flag by its name."""
        sql = """
            SELECT name, enabled, percentage, wallets, environments, updated_at, updated_by
            FROM fastws_flags ORDER BY name
        """
        found = {}
        for name, enabled, percentage, wallets, environments, at, by in await self._database.fetch(
            sql
        ):
            found[name] = Flag(
                name, enabled, percentage, tuple(wallets), tuple(environments), at, by
            )
        return found

    async def put(self, connection: Any, flag: Flag, by: str) -> None:
        """Insert or replace a flag within a transaction."""
        sql = """
            INSERT INTO fastws_flags (name, enabled, percentage, wallets, environments, updated_by)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled,
                percentage = excluded.percentage, wallets = excluded.wallets,
                environments = excluded.environments, updated_by = excluded.updated_by,
                updated_at = now()
        """
        wallets, environments = list(flag.wallets), list(flag.environments)
        await connection.execute(
            sql, flag.name, flag.enabled, flag.percentage, wallets, environments, by
        )
