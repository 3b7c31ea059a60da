"""Signals: what is unusual about a token right now, as columns of the table and as alerts.

Owns the detectors and their thresholds. A price or a volume is judged when it is sealed; what is
usual is learned every `STEP` seconds, a few tokens at a time. Thresholds follow each
token's own past, so that a stablecoin and a memecoin are both judged by their habits.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from msgspec import Struct

from fastws.domain.market.book import Market
from fastws.domain.market.feed import FeedStatus
from fastws.domain.market.moves import STEP, WINDOWS, Moves
from fastws.errors import StoreUnavailable
from fastws.store.candles import CandleRows

__all__ = ["KINDS", "STATUSES", "TRENDS", "MarketAlert", "Signals"]

log = structlog.get_logger()

KINDS: Final = ("price_move", "volume_spike", "trend_change", "status_change")
STATUSES: Final = ("live", "stale", "halted")
TRENDS: Final = ("flat", "up", "down")

TURNS: Final = 10
"""Calls of `turn` in a second: nobody waits for all tokens at once."""

KEPT: Final = 500
"""Alerts that can be asked for."""

LEAST_MOVE: Final = 0.02
"""A move of the price in a minute that is less than this part of it is never told."""

UNUSUAL_MOVE: Final = 8.0
"""Usual moves of a minute that make one unusual."""

UNUSUAL_VOLUME: Final = 10.0
"""Times the usual volume of a step, beside `UNUSUAL_SPREAD` mean deviations above it."""

UNUSUAL_SPREAD: Final = 8.0

LEAST_VOLUME: Final = 10_000.0
"""US dollars in a step that are never told below: in a thin market every trade is unusual."""

LEARNED: Final = 24
"""Samples (two minutes) before anything of a token is told."""

PAUSE_SECONDS: Final = 60.0
"""Seconds between two alerts of one kind and token."""

WEIGHT: Final = 1 / 60
"""Of a new sample in what volume is usual: five minutes."""

QUIET_SECONDS: Final = 60.0
"""Seconds without any change of its price after which a token is stale at the earliest."""

QUIET_TIMES: Final = 30.0
"""Usual pauses between two of its prices after which it is."""


class MarketAlert(Struct, frozen=True):
    """Something unusual. ``value`` and ``usual`` are per cent of the price in a minute, or US
    dollars of volume in a step; ``state`` is the new trend or status. ``time`` is Unix seconds."""

    id: int
    kind: str
    address: str
    symbol: str
    time: float
    price: float
    value: float | None = None
    usual: float | None = None
    state: str | None = None


class _Token:
    __slots__ = (
        "limit", "mean", "moves", "pause", "price", "reference", "row", "samples", "spread",
        "status", "told", "total", "touched", "trend", "volume", "volume_limit",
    )  # fmt: skip

    def __init__(self, row: int, price: float, now: float) -> None:
        self.row = row
        self.price = price
        self.touched = now
        self.pause = QUIET_SECONDS / QUIET_TIMES  # usual seconds between two prices
        self.moves = Moves()
        self.samples = 0
        self.reference, self.limit = price, math.inf
        self.total = -1.0  # the last reported volume
        self.volume = self.mean = self.spread = 0.0
        self.volume_limit = math.inf
        self.trend = self.status = 0
        self.told: dict[str, float] = {}


class Signals:
    """Detectors over ``market``. `collect` after each seal, `turn` `TURNS` times a second."""

    def __init__(self, market: Market, rows: CandleRows, clock: Callable[[], float]) -> None:
        self._market = market
        self._rows = rows
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self._seen = 0
        self._turns = 0
        self._ids = itertools.count(int(clock() * 1000))  # they grow over restarts, too
        self._fresh: deque[MarketAlert] = deque(maxlen=KEPT)
        self._kept: deque[MarketAlert] = deque(maxlen=KEPT)
        self._ours: set[str] = set()  # tokens whose change_24h no source says
        self.counts: Counter[str] = Counter()
        """Alerts since the start, by kind."""
        columns = [column.name for column in market.table.columns]
        self._columns = {name: columns.index(name) for name in WINDOWS}

    # -- detecting -------------------------------------------------------------------------

    def collect(self) -> None:
        """Judge the prices and volumes of the last seal."""
        table = self._market.table
        since, self._seen = self._seen, table.tick
        if since == self._seen:
            return
        now = table.sealed_at
        for key, mantissa, exponent in table.numbers("price", since):
            if mantissa > 0:
                self._price(key, mantissa * 10.0**exponent, now)
        for key, mantissa, exponent in table.numbers("volume_24h", since):
            token = self._tokens.get(key)
            if token is not None:
                self._volume(key, token, mantissa * 10.0**exponent, now)

    def _price(self, key: str, price: float, now: float) -> None:
        token = self._tokens.get(key)
        if token is None:
            if key in self._market:
                self._tokens[key] = _Token(self._market.row(key), price, now)
            return
        token.price = price
        token.pause += WEIGHT * (now - token.touched - token.pause)
        token.touched = now
        move = abs(price / token.reference - 1)
        if move > token.limit:
            change = (price / token.reference - 1) * 100
            usual = token.limit / UNUSUAL_MOVE * 100
            self._tell("price_move", key, token, now, value=change, usual=usual)
            token.reference, token.limit = price, math.inf  # until the next sample

    def _volume(self, key: str, token: _Token, total: float, now: float) -> None:
        grown = total - token.total
        if token.total >= 0 and grown > 0:
            token.volume += grown
            if token.volume > token.volume_limit:
                value, usual = token.volume, token.mean
                self._tell("volume_spike", key, token, now, value=value, usual=usual)
                token.volume_limit = math.inf
        token.total = total

    def _tell(self, kind: str, key: str, token: _Token, now: float, **more: Any) -> None:
        if now - token.told.get(kind, -math.inf) < PAUSE_SECONDS:
            return
        known = self._market.metadata(key)
        if known is None:
            return
        token.told[kind] = now
        self.counts[kind] += 1
        alert = MarketAlert(
            next(self._ids), kind, key, known.symbol, round(now, 3), token.price, **more
        )
        self._fresh.append(alert)
        self._kept.append(alert)

    # -- learning --------------------------------------------------------------------------

    def turn(self) -> None:
        """Learn from the tokens whose turn it is: each comes every `STEP` seconds."""
        now, share = self._clock(), STEP * TURNS
        self._turns += 1
        for key, token in list(self._tokens.items()):
            if token.row % TURNS == self._turns % TURNS:
                self._judge(key, token, now)
            if token.row % share == self._turns % share:
                if key not in self._market:
                    del self._tokens[key]
                    self._ours.discard(key)
                    continue
                self._learn(key, token, now)

    def _learn(self, key: str, token: _Token, now: float) -> None:
        moves = token.moves
        moves.sample(token.price)
        token.samples += 1
        if now - token.told.get("price_move", -math.inf) > 60 + STEP:  # else: from there on
            token.reference = moves.before(60) or token.reference
        if token.samples > LEARNED:
            usual = moves.volatility * math.sqrt(60 / STEP)
            token.limit = max(LEAST_MOVE, UNUSUAL_MOVE * usual)
            token.volume_limit = max(
                LEAST_VOLUME,
                token.mean * UNUSUAL_VOLUME,
                token.mean + UNUSUAL_SPREAD * token.spread,
            )
        # what is unusual must not become usual at once
        volume = min(token.volume, token.volume_limit)
        token.spread += WEIGHT * (abs(volume - token.mean) - token.spread)
        token.mean += WEIGHT * (volume - token.mean)
        token.volume = 0.0
        self._write(key, token, now)

    def _write(self, key: str, token: _Token, now: float) -> None:
        table, moves = self._market.table, token.moves
        for name, seconds in WINDOWS.items():
            change = moves.change(seconds, token.price)
            if change is not None:
                table.set_decimal(token.row, self._columns[name], _hundredths(change), -2)
        if key in self._ours or self._market.figure(key, "change_24h") is None:
            change = moves.change_24h(token.price)
            if change is not None:
                self._ours.add(key)
                self._market.set(key, "change_24h", (_hundredths(change), -2))
        cells = {}
        if moves.trend != token.trend:
            token.trend = cells["trend"] = moves.trend
            if token.samples > LEARNED and moves.trend:
                self._tell("trend_change", key, token, now, state=TRENDS[moves.trend])
        if cells:
            table.set_row(key, cells)

    def _judge(self, key: str, token: _Token, now: float) -> None:
        """Live, stale or halted: looked at once a second."""
        status = self._status(key, token, now)
        if status == token.status or key not in self._market:
            return
        token.status = status
        self._market.table.set_row(key, {"status": status})
        if token.samples > 1:  # what it was from the beginning is no news
            self._tell("status_change", key, token, now, state=STATUSES[status])

    def _status(self, key: str, token: _Token, now: float) -> int:
        known = self._market.metadata(key)
        if known is None or not known.listed:
            return 2
        away = self._market.feed.status in (FeedStatus.STALE, FeedStatus.CONNECTING)
        quiet = max(QUIET_SECONDS, QUIET_TIMES * token.pause)
        return int(away or now - token.touched > quiet)

    # -- what was known before ---------------------------------------------------------------

    async def seed(self) -> None:
        """Learn of the last day from the candles of a server before this one, if it can be had."""
        now = int(self._clock())
        try:
            for step, seconds in ((60, 3600), (900, 86_400)):
                async for address, closes in self._rows.closes(step, now - seconds - step):
                    token = self._tokens.get(address)
                    if token is not None and not token.samples:
                        token.moves.seed(closes, now, step)
        except StoreUnavailable:
            log.info("signals.begin_without_the_past")

    # -- reading ---------------------------------------------------------------------------

    def take(self) -> Iterator[MarketAlert]:
        """Alerts that were not taken yet, oldest first."""
        while self._fresh:
            yield self._fresh.popleft()

    def recent(self, limit: int, address: str | None, kind: str | None) -> list[MarketAlert]:
        """The last alerts, newest first."""
        found = (
            alert
            for alert in reversed(self._kept)
            if address in (None, alert.address) and kind in (None, alert.kind)
        )
        return list(itertools.islice(found, limit))


def _hundredths(percent: float) -> int:
    return max(-(10**12), min(10**12, round(percent * 100)))
