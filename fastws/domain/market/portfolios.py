"""Portfolios: what the users who look hold, kept current from the database.

Owns the holdings of wallets that somebody follows. They are read again when the database says
that they changed, after it was away, and now and then, since contests change them too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from fastws.errors import StoreUnavailable
from fastws.store.holdings import Holding, HoldingRows
from fastws.store.pool import Database

__all__ = ["Portfolios"]

log = structlog.get_logger()

POLL_SECONDS: Final = 30.0
"""Seconds between two readings of everything that is followed."""

Changed = Callable[[str, list[Holding]], None]


class Portfolios:
    """Holdings by wallet. Make it before the database is started: it listens.

    ``changed(wallet, holdings)`` is called with what was read first and whenever it is another.
    """

    def __init__(self, database: Database, rows: HoldingRows) -> None:
        self._rows = rows
        self._held: dict[str, list[Holding] | None] = {}  # None: not read yet
        self._asked: set[str] = set()
        self._wake = asyncio.Event()
        self.changed: Changed = lambda wallet, holdings: None
        database.listen(HoldingRows.NOTIFIED, self._hear, self._missed)

    def __len__(self) -> int:
        return len(self._held)

    def follow(self, wallet: str) -> None:
        """Keep a wallet's holdings from now on."""
        self._held.setdefault(wallet, None)
        self._ask(wallet)

    def forget(self, wallet: str) -> None:
        """Nobody looks any more."""
        self._held.pop(wallet, None)

    def of(self, wallet: str) -> list[Holding] | None:
        """What a followed wallet holds; None until that was read."""
        return self._held.get(wallet)

    def _ask(self, *wallets: str) -> None:
        self._asked.update(wallets)
        self._wake.set()

    def _hear(self, payload: str) -> None:
        wallets = payload.split("\n") if payload else list(self._held)
        self._ask(*(wallet for wallet in wallets if wallet in self._held))

    async def _missed(self) -> None:
        """The database was away and is back: whatever was notified is lost."""
        self._ask(*self._held)

    async def run(self) -> None:
        """Read what has to be read, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            if not self._wake.is_set():
                self._ask(*self._held)
            self._wake.clear()
            await self.read()

    async def read(self) -> None:
        """Read what was asked for; while the database is away it is asked for again later."""
        asked, self._asked = self._asked, set()
        try:
            found = await self._rows.of(asked) if asked else {}
        except StoreUnavailable:
            self._asked |= asked
            log.debug("portfolios.wait", wallets=len(asked))
            return
        for wallet, holdings in found.items():
            if wallet in self._held and self._held[wallet] != holdings:
                self._held[wallet] = holdings
                self.changed(wallet, holdings)
