"""Questions about users. A banned user is treated as not found (wire.md A1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["Standing", "User", "Users"]

_COLUMNS = "wallet_address, nickname, role::text AS role, is_banned"


class User(Struct, frozen=True):
    """A row of ``users``, as far as fastws cares."""

    wallet: str
    nickname: str | None
    role: str


class Standing(Struct, frozen=True):
    """What somebody may, whether or not he is banned."""

    wallet: str
    nickname: str | None
    role: str
    banned: bool


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

    async def changed(self, roles: Mapping[str, str]) -> dict[str, str | None]:
        """Of these wallets those that have another role by now; None: banned, or no more.

        The database compares: mostly nobody is another, and there is nothing to read.
        """
        sql = """
            SELECT here.wallet, CASE WHEN u.is_banned THEN NULL ELSE u.role::text END
            FROM unnest($1::text[], $2::text[]) AS here (wallet, role)
                LEFT JOIN users u ON u.wallet_address = here.wallet
            WHERE u.role::text IS DISTINCT FROM here.role OR u.is_banned
        """
        rows = await self._database.fetch(sql, list(roles), list(roles.values()))
        return {str(one[0]): one[1] for one in rows}

    async def standing(self, wallet: str, connection: Any) -> Standing | None:
        """A user within a transaction: nobody else changes him before it ends."""
        sql = f"SELECT {_COLUMNS} FROM users WHERE wallet_address = $1 FOR UPDATE"  # noqa: S608
        row = await connection.fetchrow(sql, wallet)
        return None if row is None else Standing(*row.values())

    async def admins(self) -> list[Standing]:
        """Everybody with more than the role of a user, superadmins first."""
        sql = f"""
            SELECT {_COLUMNS} FROM users WHERE role <> 'user' ORDER BY role DESC, wallet_address
        """  # noqa: S608 - constant
        return [Standing(*row.values()) for row in await self._database.fetch(sql)]

    async def set_role(self, wallet: str, role: str, *, connection: Any = None) -> None:
        """Give a wallet a role, creating the user if need be."""
        sql = """
            INSERT INTO users (wallet_address, nickname, role) VALUES ($1, $2, $3)
            ON CONFLICT (wallet_address) DO UPDATE SET role = excluded.role
        """
        asked = connection or self._database
        await asked.execute(sql, wallet, f"degen_{wallet[:6]}", role)

    async def set_banned(
        self, wallet: str, banned: bool, reason: str | None = None, *, connection: Any = None
    ) -> None:
        """Ban or unban."""
        sql = "UPDATE users SET is_banned = $2, ban_reason = $3 WHERE wallet_address = $1"
        asked = connection or self._database
        await asked.execute(sql, wallet, banned, reason)


def _user(row: Row | None) -> User | None:
    if row is None or row["is_banned"]:
        return None
    return User(row["wallet_address"], row["nickname"], row["role"])
