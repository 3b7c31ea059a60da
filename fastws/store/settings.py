"""The table ``system_settings``: keys with JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["Setting", "Settings"]

_COLUMNS = "key, value, description, updated_at, updated_by"


class Setting(Struct, frozen=True):
    """One row."""

    key: str
    value: Any
    description: str | None
    updated_at: datetime
    updated_by: str | None


class Settings:
    """Questions about settings."""

    NOTIFIED = "fastws_settings"
    """Notification channel: changed keys, one a line; empty means read everything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Setting]:
        """Every setting by key."""
        sql = f"SELECT {_COLUMNS} FROM system_settings ORDER BY key"  # noqa: S608 - constant
        return {row["key"]: _setting(row) for row in await self._database.fetch(sql)}

    async def some(self, keys: Iterable[str]) -> dict[str, Setting]:
        """The settings of these keys that exist."""
        sql = f"SELECT {_COLUMNS} FROM system_settings WHERE key = ANY($1)"  # noqa: S608 - constant
        return {row["key"]: _setting(row) for row in await self._database.fetch(sql, list(keys))}

    async def set(
        self,
        key: str,
        value: Any,
        description: str | None = None,
        by: str | None = None,
        connection: Any = None,
    ) -> Setting:
        """Set a value; a description of None keeps the old one.

        ``connection`` runs it inside the caller's transaction.
        """
        sql = f"""
            INSERT INTO system_settings (key, value, description, updated_by)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value,
                description = coalesce(excluded.description, system_settings.description),
                updated_at = now(), updated_by = excluded.updated_by
            RETURNING {_COLUMNS}
        """  # noqa: S608 - constant
        asked = connection or self._database
        row: Any = await asked.fetchrow(sql, key, value, description, by)
        return _setting(row)


def _setting(row: Row) -> Setting:
    return Setting(*(row[name] for name in Setting.__struct_fields__))
