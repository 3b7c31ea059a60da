"""The dependencies of this server that circuit breakers guard, and how each is asked."""

from __future__ import annotations

from typing import Final

import aiohttp

from fastws.breaker import Breaker, BreakerConfig
from fastws.config import BreakersConfig
from fastws.domain.breakers import Breakers, Check, Service
from fastws.domain.market import FeedStatus
from fastws.domain.market.feed import Feed
from fastws.store.pool import Database

__all__ = [
    "DATABASE",
    "EXCHANGE",
    "PUBLISH",
    "probes",
    "rules",
    "watch_database",
    "watch_market",
]

DATABASE: Final = "postgresql"
MARKET: Final = "market"
EXCHANGE: Final = "exchange"
PUBLISH: Final = "publish"

PROBE_SECONDS: Final = 3.0


def rules(config: BreakersConfig) -> BreakerConfig:
    """When breakers open, unless an administrator said otherwise of one."""
    return BreakerConfig(
        config.threshold, config.window_seconds, config.open_seconds, config.attempts
    )


def watch_database(breakers: Breakers, breaker: Breaker, database: Database) -> None:
    """PostgreSQL: ``breaker`` guards every question; a connection that is back is tried."""

    async def check() -> None:
        await database.fetchval("SELECT 1")

    def changed(available: bool) -> None:
        if available:
            breaker.hint()

    # A few slow questions may open it while the database is well: the watch finds that out.
    database.on_alive(breaker.hint)
    details = "every question to PostgreSQL"
    breakers.watch(Service(breaker, "infrastructure", details, check, guarded=True))
    database.on_change(changed)


def watch_market(breakers: Breakers, feed: Feed) -> None:
    """The feed of prices: well while it is live."""

    async def check() -> None:
        if feed.status is not FeedStatus.LIVE:
            raise RuntimeError(f"the feed is {feed.status.value}")

    breakers.add(MARKET, "data", "prices of all tokens", check)


def probes(breakers: Breakers, config: BreakersConfig) -> None:
    """Other services that are asked by HTTP."""
    for name, url in config.probes.items():
        breakers.add(name, "infrastructure", "asked by HTTP", _get(url))


def _get(url: str) -> Check:
    async def check() -> None:
        timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status >= 400:
                raise RuntimeError(f"it answered {answer.status}")

    return check
