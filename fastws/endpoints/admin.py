"""``/admin``: who is here, who may what, and what was done about it (docs/wire.md, "Admin").

Everything that changes something is a row in ``admin_logs`` before it is answered, and is told
to all administrators on ``admin.audit``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from fastws.connection import Connection, Connections
from fastws.connection.standing import Standing
from fastws.domain.people import Author, People
from fastws.endpoint import Base, Endpoint, command
from fastws.errors import Close, WireError
from fastws.hub import Channel
from fastws.identity import Role
from fastws.wire import Message, Reply, iso

__all__ = ["Admin"]

AUDIT: Final = "admin.audit"
Wallet = Annotated[str, Meta(min_length=1, max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=500)]  # of one answer


class GetConnections(Message):
    """``get_connections``: those that fit all that is said, oldest first; ``after`` is an id."""

    wallet: str | None = None
    address: str | None = None
    endpoint: str | None = None
    after: str | None = None
    limit: Limit = 100


class Whose(Message):
    """A connection, or all of a wallet."""

    connection: str | None = None
    wallet: str | None = None


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


class Admin(Endpoint):
    """What administrators see and do."""

    path = "admin"
    role = Role.ADMIN

    def __init__(
        self, base: Base, connections: Connections, people: People, standing: Standing
    ) -> None:
        super().__init__(base)
        self._connections = connections
        self._people = people
        self._standing = standing

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """What the others do."""
        return (AUDIT,)

    def channel(self, label: str) -> Channel | None:
        """``admin.audit``."""
        return self.hub.stream(f"{self.path}/{label}") if label == AUDIT else None

    # ── who is here ─────────────────────────────────────────────────────────────────────

    @command("get_connections", role=Role.ADMIN, invalid="INVALID_REQUEST", cost=5)
    async def get_connections(self, conn: Connection, msg: GetConnections) -> Reply:
        """Open connections and how they do."""
        found: list[dict[str, Any]] = []
        more = False
        for one in self._after(msg.after):
            if self._fits(one, msg):
                more = len(found) == msg.limit
                if more:
                    break
                found.append(_shape(one))
        return Reply("connections", connections=found, total=len(self._connections), more=more)

    def _after(self, after: str | None) -> Iterator[Connection]:
        everybody = list(self._connections)
        ids = [one.id for one in everybody]
        return iter(everybody[ids.index(after) + 1 if after in ids else 0 :])

    def _fits(self, one: Connection, msg: GetConnections) -> bool:
        return (
            msg.wallet in (None, one.identity.wallet)
            and msg.address in (None, one.peer.address)
            and msg.endpoint in (None, one.endpoint)
        )

    @command("kick", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def kick(self, conn: Connection, msg: Whose) -> Reply:
        """Close connections; their clients may come back."""
        found = self._named(msg)
        await self._record(conn, "kick", connection_id=msg.connection, wallet=msg.wallet)
        for one in found:
            one.close(Close.GOING_AWAY)
        return Reply("kicked", count=len(found))

    @command("revoke_session", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def revoke_session(self, conn: Connection, msg: Whose) -> Reply:
        """End the logins behind connections: their clients have to log in again."""
        named = self._named(msg)
        sessions = {
            one.identity.session_id: one.identity.expires_at or 0.0
            for one in named
            if one.identity.session_id is not None
        }
        await self._record(conn, "revoke_session", connection_id=msg.connection, wallet=msg.wallet)
        for session, expires_at in sessions.items():
            await self.base.authority.revoke(session, expires_at)
        return Reply("session_revoked", count=len(sessions))

    def _named(self, msg: Whose) -> list[Connection]:
        if (msg.connection is None) == (msg.wallet is None):
            raise WireError("INVALID_REQUEST", "Say connection or wallet, one of them")
        found = [
            one
            for one in self._connections
            if one.id == msg.connection or (msg.wallet and one.identity.wallet == msg.wallet)
        ]
        if not found:
            raise WireError("CONNECTION_NOT_FOUND", "There is no such connection open")
        return found

    # ── who may what ────────────────────────────────────────────────────────────────────

    @command("ban", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def ban(self, conn: Connection, msg: Ban) -> Reply:
        """Refuse a user from now on and close what he has open (4403)."""
        author = _author(conn)
        await self._people.ban(author, msg.wallet, msg.reason)
        await self._took_place(author, "ban", msg.wallet, reason=msg.reason)
        return Reply("banned", wallet=msg.wallet)

    @command("unban", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def unban(self, conn: Connection, msg: OfWallet) -> Reply:
        """Let a user in again."""
        author = _author(conn)
        await self._people.unban(author, msg.wallet)
        await self._took_place(author, "unban", msg.wallet)
        return Reply("unbanned", wallet=msg.wallet)

    @command("set_role", role=Role.SUPERADMIN, invalid="INVALID_REQUEST")
    async def set_role(self, conn: Connection, msg: SetRole) -> Reply:
        """Give a user a role; what he has open goes on with what it allows."""
        author = _author(conn)
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
        await self._announce(author, action, wallet=wallet, **details)

    async def _record(self, conn: Connection, action: str, **details: Any) -> None:
        author = _author(conn)
        await self._people.record(author, action, **details)
        await self._announce(author, action, **details)

    async def _announce(self, author: Author, action: str, **details: Any) -> None:
        fields = {"action": action, "by": author.wallet, "details": details}
        await self.hub.stream(f"{self.path}/{AUDIT}").publish("admin_action", fields)


def _author(conn: Connection) -> Author:
    return Author.of(conn.identity, conn.peer.address, conn.peer.user_agent)


def _shape(conn: Connection) -> dict[str, Any]:
    return {
        "id": conn.id,
        "endpoint": conn.endpoint,
        "wallet": conn.identity.wallet,
        "role": conn.identity.role,
        "address": conn.peer.address,
        "opened_at": iso(conn.opened_at),
        "channels": sorted(conn.subscriptions),
        "pending_bytes": conn.outlet.pending,
        "rtt_ms": round(conn.outlet.rtt_ms, 1),
        "messages_in": conn.messages_in,
        "messages_out": conn.messages_out,
        "limiter_hits": conn.limiter_hits,
    }


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "admin": line["admin_address"],
        "action": line["action"],
        "details": line["details"],
        "address": line["ip_address"],
        "at": iso(line["created_at"].timestamp()),
    }
