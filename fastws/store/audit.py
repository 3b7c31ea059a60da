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

    async def latest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest actions first."""
        sql = "SELECT * FROM admin_logs ORDER BY id DESC LIMIT $1"
        return [dict(row) for row in await self._database.fetch(sql, limit)]
