"""What the gateway may ask of the server: which endpoint, whether that origin, who, and in.

The door joins the rooms below the gateway to one question each; it decides nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from fastws.config import LimitsConfig
from fastws.connection import Allowances, Connection, Connections, Outlet, Peer
from fastws.domain.flags import ALIAS, ENDPOINT, Flags
from fastws.endpoint import Endpoint
from fastws.errors import AuthError, Close, StoreUnavailable, WireError
from fastws.gateway import busy
from fastws.identity import ANONYMOUS, Authority, Credential, Identity, OriginRule
from fastws.metrics import Stats
from fastws.store.connections import Closed, ConnectionLog, Opened

__all__ = ["PREFIX", "Door"]

PREFIX = "/api/v69/ws/"

OLDER = {"ws": "/api/ws/", "v2": "/api/v2/ws/"}
"""Older URLs of the endpoints, by the name of the flag that opens them."""

RESTART_SECONDS = 5
"""What a client is told to wait that comes while the server drains."""

log = structlog.get_logger()


class Door:
    """The gateway's view of the server."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        authority: Authority,
        origins: OriginRule,
        connections: Connections,
        recorded: ConnectionLog,
        limits: LimitsConfig,
        allowances: Allowances,
        stats: Stats,
        environment: str,
        flags: Flags,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._origins = origins
        self._connections = connections
        self._recorded = recorded
        self._limits = limits
        self._allowances = allowances
        self._stats = stats
        self._environment = environment
        self._flags = flags
        self._clock = clock
        self._closed = False
        self._paths: dict[str, Endpoint] = {}
        for endpoint in endpoints:
            if endpoint.base.settings.enabled:
                for path in (endpoint.path, *endpoint.aliases):
                    self._paths[PREFIX + path] = endpoint

    def close(self) -> None:
        """Let nobody in from now on: the server drains."""
        self._closed = True

    def find(self, path: str) -> Endpoint | None:
        """The endpoint of a request path, or None (404); a 503 when the door is closed."""
        if self._closed:
            raise busy("draining", RESTART_SECONDS, "The server restarts, try again later")
        for name, prefix in OLDER.items():
            if path.startswith(prefix) and self._flags.switch(ALIAS + name, default=False):
                path = PREFIX + path.removeprefix(prefix)
                break
        return self._paths.get(path)

    def allows_origin(self, origin: str | None, own: str, has_cookie: bool) -> bool:
        """Whether a browser page of that origin may connect (wire.md A2)."""
        return self._origins.allows(origin, own, has_cookie)

    async def identify(self, credential: Credential | None) -> Identity | Exception:
        """Who that is; an `AuthError` or `StoreUnavailable` instead of raising it."""
        if credential is None:
            return ANONYMOUS
        try:
            return await self._authority.identify(credential)
        except (AuthError, StoreUnavailable) as error:
            return error

    def connect(
        self,
        endpoint: Endpoint,
        who: Identity | Exception,
        peer: Peer,
        query: Mapping[str, str],
        outlet: Outlet,
    ) -> Connection:
        """A connection over a socket whose 101 is out; begins the opening sequence.

        A refused credential is an anonymous client to a public endpoint and none at all to
        one that requires a login. While the database is away nobody is taken for somebody.
        """
        identity = who if isinstance(who, Identity) else ANONYMOUS
        settings = endpoint.base.settings
        conn = Connection(
            endpoint,
            identity,
            peer,
            outlet,
            limits=self._limits,
            allowance=self._allowances.of(endpoint.path, settings, identity, peer.address),
            stats=self._stats,
            clock=self._clock,
            query=dict(query),
            on_gone=self._gone,
        )
        self._connections.add(conn)
        self._stats.opened(conn.endpoint)
        self._record(conn)
        log.info("ws.connected", prefix=f"ws.{conn.endpoint}", **facts(conn))
        if self._closed:  # while it was found out who asks
            conn.close(Close.RESTART)
        elif not self._flags.switch(ENDPOINT + endpoint.path, default=True):
            conn.close(Close.SWITCHED_OFF)
        elif isinstance(who, StoreUnavailable) and endpoint.requires_auth:
            conn.close(Close.TRY_LATER)
        elif self._authority.ended(identity):
            conn.close(Close.SESSION_REVOKED)
        elif identity.wallet and self._connections.of(identity.wallet) > self._most:
            text = f"At most {self._most} connections a user; close one first"
            conn.error(WireError("TOO_MANY_CONNECTIONS", text, close=Close.TOO_MANY))
        else:
            conn.begin()
        return conn

    @property
    def _most(self) -> int:
        return self._limits.user_connections

    def _record(self, conn: Connection) -> None:
        self._recorded.opened(
            Opened(
                id=conn.id,
                address=conn.peer.address,
                user_agent=conn.peer.user_agent,
                wallet=conn.identity.wallet,
                nickname=conn.identity.nickname,
                environment=self._environment,
                origin=conn.peer.origin,
                at=conn.opened_at,
            )
        )

    def _gone(self, conn: Connection) -> None:
        self._connections.remove(conn)
        now = self._clock()
        seconds = round(now - conn.opened_at, 1)
        self._recorded.closed(
            Closed(
                id=conn.id,
                at=now,
                seconds=seconds,
                code=conn.close_code or 0,
                reason=conn.close_reason,
                topics=list(conn.subscriptions),
                received=conn.messages_in,
                sent=conn.messages_out,
            )
        )
        log.info(
            "ws.disconnected",
            prefix=f"ws.{conn.endpoint}",
            code=conn.close_code,
            reason=conn.close_reason,
            seconds=seconds,
            **facts(conn),
        )


def facts(conn: Connection) -> dict[str, str | None]:
    """What every lifecycle line says of a connection."""
    return {
        "connection": conn.id,
        "wallet": conn.identity.wallet,
        "role": conn.identity.role,
        "address": conn.peer.address,
    }
