"""The table ``admin_logs``: every administrative action, before it is acknowledged."""

from __future__ import annotations

from typing import Any

from fastws.store.pool import Database

__all__ = ["Audit"]


class Audit:
    """Writes and reads the audit trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(
        self,
        admin: str,
        action: str,
        details: dict[str, Any],
        *,
        address: str | None = None,
        user_agent: str | None = None,
        connection: Any = None,
    ) -> None:
        """One action; ``connection`` writes it inside the caller's transaction."""
        sql = """
            INSERT INTO admin_logs (admin_address, action, details, ip_address, user_agent)
            VALUES ($1, $2, $3, $4, $5)
        """
        asked = connection or self._database
        await asked.execute(sql, admin, action, details, address, user_agent)

    async def latest(
        self, limit: int = 100, admin: str | None = None, action: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest actions first, of an administrator or of a kind."""
        sql = """
            SELECT * FROM admin_logs
            WHERE ($2::text IS NULL OR admin_address = $2) AND ($3::text IS NULL OR action = $3)
            ORDER BY id DESC LIMIT $1
        """
        return [dict(row) for row in await self._database.fetch(sql, limit, admin, action)]
