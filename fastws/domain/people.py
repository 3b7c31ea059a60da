"""People: who may what, changed by administrators, each change with its line in the audit.

Owns the rules of these changes. That they act on open connections is others' business.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from fastws.errors import Denied, StoreUnavailable, WireError
from fastws.identity import Author, Role
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.users import Standing, Users

__all__ = ["People"]

NOT_ALLOWED: Final = "NOT_ALLOWED"


class People:
    """Bans and roles."""

    def __init__(self, database: Database, users: Users, audit: Audit) -> None:
        self._database = database
        self._users = users
        self._audit = audit
        self._waiting: deque[tuple[Author, str, dict[str, Any]]] = deque(maxlen=1000)

    async def ban(self, author: Author, wallet: str, reason: str) -> None:
        """Refuse somebody from now on. `WireError` ``USER_NOT_FOUND``, ``NOT_ALLOWED``."""
        async with self._database.transaction() as connection:
            await self._may_touch(author, wallet, connection)
            await self._users.set_banned(wallet, True, reason, connection=connection)
            await self.record(author, "ban", connection, wallet=wallet, reason=reason)

    async def unban(self, author: Author, wallet: str) -> None:
        """Let somebody in again. Raises as `ban` does."""
        async with self._database.transaction() as connection:
            await self._may_touch(author, wallet, connection)
            await self._users.set_banned(wallet, False, connection=connection)
            await self.record(author, "unban", connection, wallet=wallet)

    async def set_role(self, author: Author, wallet: str, role: Role) -> None:
        """Give somebody a role. Raises as `ban` does."""
        async with self._database.transaction() as connection:
            before = await self._may_touch(author, wallet, connection)
            await self._users.set_role(wallet, role, connection=connection)
            details = {"wallet": wallet, "role": str(role), "before": before.role}
            await self.record(author, "set_role", connection, **details)

    async def admins(self) -> list[Standing]:
        """Everybody with more than the role of a user."""
        return await self._users.admins()

    async def record(
        self, author: Author, action: str, connection: Any = None, **details: Any
    ) -> None:
        """A line in the audit; within the transaction of ``connection`` if there is one."""
        await self._audit.write(
            author.wallet,
            action,
            details,
            address=author.address,
            user_agent=author.user_agent,
            connection=connection,
        )

    async def record_when_possible(self, author: Author, action: str, **details: Any) -> None:
        """`record`, later if the database is away: for what is done about just that."""
        try:
            await self.record(author, action, **details)
        except StoreUnavailable:
            self._waiting.append((author, action, details))

    async def catch_up(self) -> None:
        """Write what waits, if that is possible now."""
        while self._waiting:
            author, action, details = self._waiting[0]
            try:
                await self.record(author, action, **details)
            except StoreUnavailable:
                return
            self._waiting.popleft()

    async def audit(
        self, limit: int, admin: str | None, action: str | None
    ) -> list[dict[str, Any]]:
        """The last lines of the audit, newest first."""
        return await self._audit.latest(limit, admin, action)

    async def _may_touch(self, author: Author, wallet: str, connection: Any) -> Standing:
        """The user, locked until the transaction ends; nobody touches himself or his better."""
        found = await self._users.standing(wallet, connection)
        if found is None:
            raise WireError("USER_NOT_FOUND", f"There is no user {wallet[:64]}")
        if wallet == author.wallet:
            raise Denied("Nobody changes his own standing", NOT_ALLOWED)
        if Role(found.role).level >= author.role.level and author.role is not Role.SUPERADMIN:
            raise Denied("Only a superadmin may do that to an administrator", NOT_ALLOWED)
        return found
