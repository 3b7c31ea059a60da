"""A planned stop that no user sees: announce, spread the closes, wait, be gone in time.

Knows connections and a clock only.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

import structlog

from fastws.connection import Connections
from fastws.errors import Close
from fastws.wire import Reply

__all__ = ["drain"]

log = structlog.get_logger()

PER_CONNECTION = 0.004
"""Seconds of spread a connection adds: 250 reconnects a second reach the next server."""

LAST_CLOSES = 5.0
"""Seconds of the deadline kept for closing handshakes and for the store."""


async def drain(connections: Connections, seconds: float, rng: random.Random) -> None:
    """Push ``drain`` to everybody, close each with 1012 at its own moment, within ``seconds``.

    Returns when the last connection is gone or the deadline has come. Cancel it to stop now.
    """
    everybody = list(connections)
    if not everybody:
        return
    spread = max(0.1, min(seconds - LAST_CLOSES, 0.2 + len(everybody) * PER_CONNECTION))
    log.info("server.drain", connections=len(everybody), spread_seconds=round(spread, 1))
    deadline_ms = round(spread * 1000)
    for conn in everybody:
        wait_ms = rng.randrange(max(1, deadline_ms))
        conn.tell(Reply("drain", reconnect_after_ms=wait_ms, deadline_ms=deadline_ms))
    moments = sorted((rng.uniform(0, spread), index) for index in range(len(everybody)))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for moment, index in moments:
        late = begun + moment - loop.time()
        if late > 0:
            await asyncio.sleep(late)
        everybody[index].close(Close.RESTART)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(begun + seconds - 1):
            await connections.empty()
