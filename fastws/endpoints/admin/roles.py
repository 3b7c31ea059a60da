"""Who may what: bans, roles, and what administrators did."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from fastws.connection import Connection
from fastws.connection.standing import Standing
from fastws.endpoint import command
from fastws.endpoints.admin.audited import Audited
from fastws.identity import Author, Role
from fastws.wire import Message, Reply, iso

__all__ = ["Roles"]

Wallet = Annotated[str, Meta(min_length=1, max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=500)]  # of one answer


class OfWallet(Message):
    """A user."""

    wallet: Wallet


class Ban(Message):
    """``ban``: the reason stays with the user and in the audit."""

    wallet: Wallet
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class SetRole(Message):
    """``set_role``."""

    wallet: Wallet
    role: Literal["user", "admin", "superadmin"]


class GetAudit(Message):
    """``get_audit``: of an administrator, or of an action."""

    admin: str | None = None
    action: str | None = None
    limit: Limit = 100


class Roles(Audited):
    """The part that knows who may what."""

    _standing: Standing

    @command("ban", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def ban(self, conn: Connection, msg: Ban) -> Reply:
        """Refuse a user from now on and close what he has open (4403)."""
        author = conn.author
        await self._people.ban(author, msg.wallet, msg.reason)
        await self._took_place(author, "ban", msg.wallet, reason=msg.reason)
        return Reply("banned", wallet=msg.wallet)

    @command("unban", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def unban(self, conn: Connection, msg: OfWallet) -> Reply:
        """Let a user in again."""
        author = conn.author
        await self._people.unban(author, msg.wallet)
        await self._took_place(author, "unban", msg.wallet)
        return Reply("unbanned", wallet=msg.wallet)

    @command("set_role", role=Role.SUPERADMIN, invalid="INVALID_REQUEST")
    async def set_role(self, conn: Connection, msg: SetRole) -> Reply:
        """Give a user a role; what he has open goes on with what it allows."""
        author = conn.author
        await self._people.set_role(author, msg.wallet, Role(msg.role))
        await self._took_place(author, "set_role", msg.wallet, role=msg.role)
        return Reply("role_set", wallet=msg.wallet, role=msg.role)

    @command("list_admins", role=Role.SUPERADMIN)
    async def list_admins(self, conn: Connection, msg: Message) -> Reply:
        """Everybody with more than the role of a user."""
        admins = [
            {"wallet": one.wallet, "nickname": one.nickname, "role": one.role, "banned": one.banned}
            for one in await self._people.admins()
        ]
        return Reply("admins", admins=admins)

    @command("get_audit", role=Role.ADMIN, invalid="INVALID_REQUEST", cost=5)
    async def get_audit(self, conn: Connection, msg: GetAudit) -> Reply:
        """What administrators did, newest first."""
        found = await self._people.audit(msg.limit, msg.admin, msg.action)
        return Reply("audit", entries=[_line(line) for line in found])

    async def _took_place(self, author: Author, action: str, wallet: str, **details: Any) -> None:
        """It is written: now it acts on who is here, and the others hear of it."""
        await self._standing.look({wallet})
        await self.announce_action(author, action, wallet=wallet, **details)


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "admin": line["admin_address"],
        "action": line["action"],
        "details": line["details"],
        "address": line["ip_address"],
        "at": iso(line["created_at"].timestamp()),
    }
