"""Roles and bans as the database has them now, for the connections that are open.

A role or a ban may be changed by anybody who writes the table ``users``: it is read each second
for the wallets that are here. Who is banned is closed; whose role changed stays, with what the
new one allows. An administrator's own change is looked at right after it was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

import structlog
from msgspec import structs

from fastws.connection.connection import Connection
from fastws.connection.register import Connections
from fastws.errors import Close, StoreUnavailable
from fastws.identity import Role
from fastws.store.users import Users
from fastws.wire import Reply

__all__ = ["Standing"]

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0


class Standing:
    """Keeps open connections within what their users may."""

    def __init__(self, users: Users, connections: Connections) -> None:
        self._users = users
        self._connections = connections
        self.withdrawn = 0
        """Connections closed because their user was banned or is no more."""
        self.changed = 0
        """Connections whose role is another now."""

    async def run(self) -> None:
        """Look for ever, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.look()
            except StoreUnavailable:
                log.debug("standing.postponed")

    async def look(self, wallets: Collection[str] | None = None) -> None:
        """Compare the connections (of these wallets) with the table; `StoreUnavailable`."""
        here: dict[str, list[Connection]] = {}
        known: dict[str, str] = {}
        for conn in self._connections:
            wallet, role = conn.identity.wallet, conn.identity.role
            if wallet is not None and (wallets is None or wallet in wallets):
                here.setdefault(wallet, []).append(conn)
                # of two connections that disagree one is wrong: then both are looked at
                known[wallet] = str(role) if known.get(wallet, role) == role else ""
        if not here:
            return
        for wallet, now in (await self._users.changed(known)).items():
            for conn in here[wallet]:
                self._judge(conn, now)

    def _judge(self, conn: Connection, role: str | None) -> None:
        if conn.close_code is not None:
            return
        if role is None:
            self.withdrawn += 1
            log.info("auth.access_withdrawn", connection=conn.id, wallet=conn.identity.wallet)
            conn.close(Close.WITHDRAWN)
        elif role != conn.identity.role:
            self.changed += 1
            conn.identity = structs.replace(conn.identity, role=Role(role))
            log.info("auth.role_changed", connection=conn.id, role=role)
            conn.tell(Reply("role_changed", role=role))
            conn.reconsider()
