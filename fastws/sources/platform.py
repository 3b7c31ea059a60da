"""The platform's own tokens: rows that its token service writes to PostgreSQL.

Owns how rows become market figures and when they are read: at once where a notification names
tokens (coalesced), by ``updated_at`` every few seconds for prices, and the whole table now and
then, since a notification may be lost and a database need not have our triggers. Asks nothing
but `Tokens`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog

from fastws.domain.market import FeedStatus, Market, Token, scale
from fastws.errors import StoreUnavailable
from fastws.store.pool import Database
from fastws.store.tokens import TokenRow, Tokens

__all__ = ["Platform"]

log = structlog.get_logger()

MANY: Final = 1000
"""Changed addresses beyond which the whole table is read instead."""

OVERLAP: Final = timedelta(seconds=10)
"""How much later than its stamp a price may be committed and still be seen by the next poll."""

WHOLE_SECONDS: Final = 60.0
"""s between two readings of the whole table."""

_URL: Final = re.compile(r"(https?|ipfs)://[^\s\"<>]{1,500}")
_NEVER: Final = datetime(1970, 1, 2, tzinfo=UTC)


class Platform:
    """The source ``platform``: keeps a `Market` equal to ``tokens`` and ``token_prices``.

    Make it before the database is started: it listens. The feed is stale while the database
    is away, or when the newest price is older than ``stale_seconds`` by the database's clock.
    Tokens that others brought to the market are left alone.
    """

    def __init__(
        self,
        market: Market,
        database: Database,
        poll_seconds: float = 5.0,
        stale_seconds: float = 300.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._market = market
        self._tokens = Tokens(database)
        self._poll_seconds = poll_seconds
        self._stale_seconds = stale_seconds
        self._monotonic = monotonic
        self._changed: set[str] = set()
        self._everything = True
        self._wake = asyncio.Event()
        self._mine: set[str] = set()
        self._refused: set[str] = set()
        self._cursor = _NEVER
        self._whole_at = 0.0
        database.listen(Tokens.NOTIFIED, self._hear, self._missed)
        database.listen(Tokens.NOTIFIED_PRICES, lambda payload: self._wake.set())

    def _hear(self, payload: str) -> None:
        """Tokens changed: remember which; the reading is done by `run`."""
        self._changed.update(payload.split("\n"))
        if "" in self._changed or len(self._changed) > MANY:
            self._everything = True
            self._changed.clear()
        self._wake.set()

    async def _missed(self) -> None:
        """The database was away and is back: whatever was notified is lost."""
        self._everything = True
        self._wake.set()

    async def run(self) -> None:
        """Follow the tables until cancelled."""
        self._market.feed.begin("platform")
        while True:
            self._wake.clear()
            try:
                await self.read()
            except StoreUnavailable:
                self._fail()
            except Exception:  # foreign tables may be missing or differ: say so, try again
                self._fail()
                log.exception("platform.read_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._wake.wait()

    def _fail(self) -> None:
        self._everything = True
        if self._market.feed.status is not FeedStatus.STALE:
            self._market.feed.become(FeedStatus.STALE)
            log.warning("platform.stale")

    async def read(self) -> None:
        """Read what changed: everything when due, else the named tokens and new prices."""
        if self._everything or self._monotonic() - self._whole_at >= WHOLE_SECONDS:
            self._everything = False
            self._changed.clear()
            self._refused.clear()
            self._whole_at = self._monotonic()
            changed = self._take(rows := await self._tokens.all())
            self._drop(self._mine - {row.address for row in rows})
        else:
            changed = await self._read_changes()
        age = await self._tokens.price_age()
        if age is not None and age <= self._stale_seconds:
            self._market.feed.touch(changed)
        else:
            self._market.feed.become(FeedStatus.STALE)

    async def _read_changes(self) -> int:
        changed = 0
        if self._changed:
            asked, self._changed = self._changed, set()
            try:
                rows = await self._tokens.some(asked)
            except StoreUnavailable:
                self._changed |= asked
                raise
            changed += self._take(rows)
            self._drop((asked & self._mine) - {row.address for row in rows})
        for address, price, moment in await self._tokens.prices_since(self._cursor, OVERLAP):
            self._cursor = max(self._cursor, moment)
            if address in self._mine:
                changed += self._set(address, "price", price)
            elif address not in self._refused:
                self._changed.add(address)  # a token nobody told us of: read it next time
                self._wake.set()
        return changed

    def _take(self, rows: Iterable[TokenRow]) -> int:
        changed = 0
        for row in rows:
            try:
                self._market.upsert(_metadata(row))
            except ValueError as error:
                self._market.feed.malformed += 1
                self._refused.add(row.address)
                log.warning("platform.token_refused", address=row.address, reason=str(error))
                continue
            self._mine.add(row.address)
            for name in ("price", "change_24h", "market_cap", "volume_24h"):
                changed += self._set(row.address, name, getattr(row, name))
            if row.updated_at is not None:
                self._cursor = max(self._cursor, row.updated_at)
        return changed

    def _set(self, address: str, name: str, value: Decimal | None) -> int:
        """Set one figure; 1 if it was said and made sense."""
        if value is None:
            return 0
        try:
            scaled = scale(value)
        except ValueError:
            self._market.feed.malformed += 1
            return 0
        self._market.set(address, name, scaled, 15 if name == "price" else 12)
        return 1

    def _drop(self, addresses: set[str]) -> None:
        for address in addresses:
            self._market.remove(address)
        self._mine -= addresses


def _metadata(row: TokenRow) -> Token:
    url = row.image_url or ""
    return Token(
        address=row.address,
        symbol=row.symbol,
        name=row.name,
        id=row.id,
        decimals=row.decimals,
        listed=row.is_active,
        image_url=url if _URL.fullmatch(url) else "",
    )
