"""Login challenges: one per wallet, the newest counts. Times are Unix seconds."""

from __future__ import annotations

from fastws.store.pool import Database

__all__ = ["Challenges"]


class Challenges:
    """The table ``auth_challenges``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, wallet: str, nonce: str, expires_at: float) -> None:
        """Keep a nonce; it replaces an older one of the wallet."""
        sql = """
            INSERT INTO auth_challenges (wallet_address, nonce, expires_at)
            VALUES ($1, $2, to_timestamp($3))
            ON CONFLICT (wallet_address)
            DO UPDATE SET nonce = excluded.nonce, expires_at = excluded.expires_at
        """
        await self._database.execute(sql, wallet, nonce, expires_at)

    async def get(self, wallet: str) -> tuple[str, float] | None:
        """The nonce and when it expires, or None."""
        sql = """
            SELECT nonce, extract(epoch FROM expires_at)::float8 AS expires_at
            FROM auth_challenges WHERE wallet_address = $1
        """
        row = await self._database.fetchrow(sql, wallet)
        return None if row is None else (row["nonce"], row["expires_at"])

    async def consume(self, wallet: str, nonce: str) -> bool:
        """Use a nonce up; False if somebody else just did."""
        sql = "DELETE FROM auth_challenges WHERE wallet_address = $1 AND nonce = $2"
        return await self._database.execute(sql, wallet, nonce) == "DELETE 1"

    async def prune(self, now: float) -> None:
        """Forget what expired more than an hour ago."""
        sql = "DELETE FROM auth_challenges WHERE expires_at < to_timestamp($1)"
        await self._database.execute(sql, now - 3600)
