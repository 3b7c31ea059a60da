"""A revoked session ends everywhere: told over the broker at once, read from the table anyway.

An announcement is a hint that may get lost; the table is the truth, read each second, so that
a process without a common broker closes the sockets of a session within two, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from fastws.broker import Broker
from fastws.errors import Unavailable
from fastws.store.challenges import Challenges
from fastws.store.sessions import RevokedSessions

__all__ = ["Revocations"]

log = structlog.get_logger()

CONTROL: Final = "session.revoked"
POLL_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 3600.0


class Revocations:
    """Announces revocations and hears of them. ``close`` ends the sockets of a session id."""

    def __init__(
        self,
        revoked: RevokedSessions,
        challenges: Challenges,
        broker: Broker,
        close: Callable[[str], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._revoked = revoked
        self._challenges = challenges
        self._broker = broker
        self._close = close
        self._clock = clock
        broker.on_control(self._hear)

    async def announce(self, session_id: str) -> None:
        """Tell every process; what is lost on the way is found in the table."""
        try:
            await self._broker.announce(CONTROL, session_id.encode())
        except Unavailable:
            self._end(session_id)

    def _hear(self, name: str, payload: bytes) -> None:
        if name == CONTROL:
            session_id = payload.decode("utf-8", "replace")
            self._revoked.learn(session_id, self._clock() + PRUNE_SECONDS)
            self._end(session_id)

    def _end(self, session_id: str) -> None:
        closed = self._close(session_id)
        if closed:
            log.info("auth.session_ended", session_id=session_id, connections=closed)

    async def run(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Read the table for ever, until cancelled; tidy up now and once an hour."""
        tidied = float("-inf")
        while True:
            try:
                for session_id in await self._revoked.news():
                    self._end(session_id)
                if self._clock() - tidied >= PRUNE_SECONDS:
                    tidied = self._clock()
                    await self._revoked.prune(tidied)
                    await self._challenges.prune(tidied)
            except Unavailable:
                log.debug("auth.revocations_postponed")
            except Exception:
                log.exception("auth.revocations_failed")
            await asyncio.sleep(poll_seconds)
