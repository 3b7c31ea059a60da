"""Feature flags: what is on for whom, the same for the same wallet for ever.

Owns how a percentage becomes people, and the names by which the server itself is switched:
``endpoint.<path>`` (a kill switch, on unless a row says otherwise) and ``alias.ws`` and
``alias.v2`` (older URLs, off unless a row says otherwise). They are read again when the database
says that they changed; while it is away those that are known go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Final

import structlog

from fastws.errors import StoreUnavailable
from fastws.store.flags import Flag, FlagRows
from fastws.store.pool import Database

__all__ = ["ALIAS", "ENDPOINT", "Flags", "share"]

log = structlog.get_logger()

ENDPOINT: Final = "endpoint."
ALIAS: Final = "alias."

POLL_SECONDS: Final = 30.0


def share(name: str, key: str) -> float:
    """Where somebody stands among all, from 0 up to 100, for one flag.

    Uniform over keys, and independent of where he stands for another flag.
    """
    digest = blake2b(f"{name}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100


class Flags:
    """All flags. Make it before the database is started: it listens.

    ``on_changed()`` are called when what is known is another.
    """

    def __init__(self, database: Database, rows: FlagRows, environment: str) -> None:
        self._rows = rows
        self._environment = environment
        self._known: dict[str, Flag] = {}
        self._wake = asyncio.Event()
        self.on_changed: list[Callable[[], None]] = []
        database.listen(FlagRows.NOTIFIED, lambda payload: self._wake.set(), self._missed)

    def __iter__(self) -> Iterator[Flag]:
        return iter(list(self._known.values()))

    def get(self, name: str) -> Flag | None:
        """A flag there is a row of."""
        return self._known.get(name)

    def on(self, name: str, key: str | None, default: bool = False) -> bool:
        """Whether a flag is on for a wallet (or another key that stays the same)."""
        flag = self._known.get(name)
        if flag is None:
            return default
        here = not flag.environments or self._environment in flag.environments
        if not (flag.enabled and here):
            return False
        if key is None:
            return flag.percentage >= 100
        return key in flag.wallets or share(name, key) < flag.percentage

    def switch(self, name: str, default: bool) -> bool:
        """Whether a switch of the server is on, for nobody in particular."""
        return self.on(name, None, default)

    def seen(self, key: str | None) -> dict[str, bool]:
        """What is on for somebody: the flags of pages, not the server's switches."""
        return {
            name: self.on(name, key)
            for name in self._known
            if not name.startswith((ENDPOINT, ALIAS))
        }

    async def load(self) -> None:
        """Read all of them."""
        found = await self._rows.all()
        if found != self._known:
            self._known = found
            for listener in self.on_changed:
                listener()

    async def put(self, connection: Any, flag: Flag, by: str) -> None:
        """Store a flag; it acts here when `load` is called after the transaction."""
        await self._rows.put(connection, flag, by)

    async def _missed(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Keep them current until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.load()
            except StoreUnavailable:
                log.debug("flags.wait")
