"""Who is here: connections seen, followed, closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta

from fastws.connection import Connection, Connections
from fastws.connection.trace import LONGEST_SECONDS, Traces
from fastws.endpoint import command
from fastws.endpoints.admin.audited import Audited
from fastws.errors import Close, WireError
from fastws.identity import Role
from fastws.wire import Message, Reply, iso

__all__ = ["Clients"]

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


class Trace(Whose):
    """``trace``: for so many seconds."""

    seconds: Annotated[int, Meta(ge=1, le=LONGEST_SECONDS)] = 60


class StopTrace(Message):
    """``stop_trace``."""

    trace: int


class Clients(Audited):
    """The part that knows who is here."""

    _connections: Connections
    _traces: Traces

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
                found.append(_shape(one, self._connections.last_end(one.identity.wallet)))
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
        await self.record(conn, "kick", connection_id=msg.connection, wallet=msg.wallet)
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
        await self.record(conn, "revoke_session", connection_id=msg.connection, wallet=msg.wallet)
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

    @command("trace", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def trace(self, conn: Connection, msg: Trace) -> Reply:
        """Read along what connections send and get, without secrets, for a while."""
        found = [one for one in self._named(msg) if one is not conn]
        if not found:
            raise WireError("INVALID_REQUEST", "Nobody reads along himself")
        details = {"connection_id": msg.connection, "wallet": msg.wallet, "seconds": msg.seconds}
        number = self._traces.start(conn, found, msg.seconds)
        try:
            await self.record(conn, "trace", **details)
        except BaseException:  # what cannot be written down is not done
            self._traces.stop(conn, number)
            raise
        return Reply("trace_started", trace=number, connections=[one.id for one in found])

    @command("stop_trace", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def stop_trace(self, conn: Connection, msg: StopTrace) -> Reply:
        """Read along no more."""
        self._traces.stop(conn, msg.trace)
        return Reply("trace_stopped", trace=msg.trace)


def _shape(conn: Connection, ended: tuple[int, str] | None) -> dict[str, Any]:
    lags = {label: held.lag for label, held in conn.subscriptions.items()}
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
        "lag": {label: lag for label, lag in lags.items() if lag},
        "last_close": None if ended is None else {"code": ended[0], "reason": ended[1]},
    }
