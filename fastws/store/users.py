"""Questions about users. A banned user is treated as not found (wire.md A1)."""

from __future__ import annotations

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["User", "Users"]

_COLUMNS = "wallet_address, nickname, role::text AS role, is_banned"


class User(Struct, frozen=True):
    """A row of ``users``, as far as fastws cares."""

    wallet: str
    nickname: str | None
    role: str


class Users:
    """The table ``users``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, wallet: str) -> User | None:
        """The user of a wallet; None if there is none or he is banned."""
        sql = f"SELECT {_COLUMNS} FROM users WHERE wallet_address = $1"  # noqa: S608 - constant
        return _user(await self._database.fetchrow(sql, wallet))

    async def create_or_touch(self, wallet: str) -> User | None:
        """A login: create the user or set ``last_login``; None if he is banned."""
        sql = f"""
            INSERT INTO users (wallet_address, nickname, last_login) VALUES ($1, $2, now())
            ON CONFLICT (wallet_address) DO UPDATE SET last_login = now()
            RETURNING {_COLUMNS}
        """  # noqa: S608 - constant
        return _user(await self._database.fetchrow(sql, wallet, f"degen_{wallet[:6]}"))

    async def set_role(self, wallet: str, role: str) -> None:
        """Give a wallet a role, creating the user if need be."""
        sql = """
            INSERT INTO users (wallet_address, nickname, role) VALUES ($1, $2, $3)
            ON CONFLICT (wallet_address) DO UPDATE SET role = excluded.role
        """
        await self._database.execute(sql, wallet, f"degen_{wallet[:6]}", role)

    async def set_banned(self, wallet: str, banned: bool, reason: str | None = None) -> None:
        """Ban or unban."""
        sql = "UPDATE users SET is_banned = $2, ban_reason = $3 WHERE wallet_address = $1"
        await self._database.execute(sql, wallet, banned, reason)


def _user(row: Row | None) -> User | None:
    if row is None or row["is_banned"]:
        return None
    return User(row["wallet_address"], row["nickname"], row["role"])
