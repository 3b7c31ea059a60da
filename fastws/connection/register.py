"""The connections that are open in this process, and the one sweep that watches their tokens."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator

from fastws.connection.connection import Connection
from fastws.errors import Close
from fastws.wire import Reply

__all__ = ["Connections"]

REMEMBERED = 10_000
"""Wallets whose last end is remembered."""

EXPIRY_NOTICE = 60.0
"""Seconds before a token ends at which ``token_expiring`` is pushed (wire.md part B)."""


class Connections:
    """The open connections of this process, and the one sweep that watches their tokens."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._open: dict[str, Connection] = {}
        self._per_wallet: Counter[str] = Counter()
        self._ends: dict[str, tuple[int, str]] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open.values()))

    def get(self, id: str) -> Connection | None:
        """The open connection of that id."""
        return self._open.get(id)

    def of(self, wallet: str) -> int:
        """How many connections a wallet has open."""
        return self._per_wallet[wallet]

    def last_end(self, wallet: str | None) -> tuple[int, str] | None:
        """Code and reason with which a wallet's last connection here ended."""
        return None if wallet is None else self._ends.get(wallet)

    async def empty(self) -> None:
        """Wait until no connection is open."""
        await self._empty.wait()

    def add(self, conn: Connection) -> None:
        """Register a connection."""
        self._open[conn.id] = conn
        self._empty.clear()
        if conn.identity.wallet:
            self._per_wallet[conn.identity.wallet] += 1

    def remove(self, conn: Connection) -> None:
        """Forget a connection; harmless when it is not registered."""
        if self._open.pop(conn.id, None) is None:
            return
        if not self._open:
            self._empty.set()
        wallet = conn.identity.wallet
        if wallet:
            self._ends.pop(wallet, None)
            self._ends[wallet] = conn.close_code or 0, conn.close_reason
            if len(self._ends) > REMEMBERED:
                del self._ends[next(iter(self._ends))]
            self._per_wallet[wallet] -= 1
            if not self._per_wallet[wallet]:
                del self._per_wallet[wallet]

    def expire(self) -> None:
        """Warn and close those whose token ends now. Call about once a second.

        A sweep, not a timer each: 60 ns a connection and second against 200 bytes of handle.
        """
        now = self._clock()
        for conn in self:
            expires = conn.identity.expires_at
            if expires is None or expires - EXPIRY_NOTICE > now:
                continue
            if expires <= now:
                conn.close(Close.TOKEN_EXPIRED)
            elif conn.told_expiry != expires:
                conn.told_expiry = expires
                conn.tell(Reply("token_expiring", expires_in=round(expires - now)))

    def close_session(self, session_id: str) -> int:
        """Close the sockets of a revoked session (4401); returns how many there were."""
        found = [conn for conn in self if conn.identity.session_id == session_id]
        for conn in found:
            conn.close(Close.SESSION_REVOKED)
        return len(found)
