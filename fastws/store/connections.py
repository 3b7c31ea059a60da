"""The table ``websocket_connections``, written in batches.

A connection costs a row when it opens and one update when it ends. While the database is away
rows wait, up to a limit; what falls over it is counted, not kept.
"""

from __future__ import annotations

from msgspec import Struct

from fastws.store.pool import Database

__all__ = ["Closed", "ConnectionLog", "Opened"]

MOST_WAITING = 20_000


class Opened(Struct, frozen=True):
    """What is known when a connection begins. Times are Unix seconds."""

    id: str
    address: str
    user_agent: str
    wallet: str | None
    nickname: str | None
    environment: str
    origin: str | None
    at: float


class Closed(Struct, frozen=True):
    """What is known when it has ended."""

    id: str
    at: float
    seconds: float
    code: int
    reason: str
    topics: list[str]
    received: int
    sent: int


class ConnectionLog:
    """Collects rows; `flush` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._opened: list[Opened] = []
        self._closed: list[Closed] = []
        self.dropped = 0

    def opened(self, row: Opened) -> None:
        """A connection began."""
        if len(self._opened) < MOST_WAITING:
            self._opened.append(row)
        else:
            self.dropped += 1

    def closed(self, row: Closed) -> None:
        """A connection ended."""
        if len(self._closed) < MOST_WAITING:
            self._closed.append(row)
        else:
            self.dropped += 1

    @property
    def waiting(self) -> int:
        """Rows not written yet."""
        return len(self._opened) + len(self._closed)

    async def flush(self) -> int:
        """Write what waits, in one transaction; the number of rows.

        `StoreUnavailable` keeps them for the next time.
        """
        opened, closed = self._opened[:], self._closed[:]
        if not opened and not closed:
            return 0
        async with self._database.transaction() as connection:
            if opened:
                await connection.executemany(_INSERT, [_opened(row) for row in opened])
            if closed:
                await connection.executemany(_UPDATE, [_closed(row) for row in closed])
        del self._opened[: len(opened)]
        del self._closed[: len(closed)]
        return len(opened) + len(closed)


_INSERT = """
    INSERT INTO websocket_connections (connection_id, ip, user_agent, wallet_address, nickname,
        is_authenticated, environment, origin, connected_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9))
    ON CONFLICT (connection_id) DO NOTHING
"""

_UPDATE = """
    UPDATE websocket_connections SET disconnected_at = to_timestamp($2), duration_seconds = $3,
        close_code = $4, close_reason = $5, subscribed_topics = $6, messages_received = $7,
        messages_sent = $8
    WHERE connection_id = $1
"""


def _opened(row: Opened) -> tuple[object, ...]:
    return (
        row.id,
        row.address,
        row.user_agent[:500].replace("\0", ""),
        row.wallet,
        row.nickname,
        row.wallet is not None,
        row.environment,
        row.origin,
        row.at,
    )


def _closed(row: Closed) -> tuple[object, ...]:
    reason = row.reason.replace("\0", "")
    return (row.id, row.at, row.seconds, row.code, reason, row.topics, row.received, row.sent)
