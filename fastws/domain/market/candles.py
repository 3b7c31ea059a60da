"""Candles of every token: of one second from each sealed price, coarser ones from finer.

Owns the candles that are open, those that wait for the database, and which of the two an answer
takes. A candle exists only for a time in which the price changed: nothing is invented for a gap.
``volume`` is what the reported ``volume_24h`` grew by, in US dollars: a lower bound, since what
leaves the window of 24 hours lowers it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from fastws.domain.market.book import Market
from fastws.domain.market.decimals import text
from fastws.errors import StoreUnavailable
from fastws.store.candles import RESOLUTIONS, Candle, CandleRows

__all__ = ["WAITING", "Bar", "Candles"]

log = structlog.get_logger()

WAITING: Final = 200_000
"""Candles of one second that wait for the database at most: with 800 a second four minutes."""

SECONDS: Final = tuple(RESOLUTIONS.values())


class Bar:
    """A candle in memory; prices are mantissas of one exponent. ``tick``: of the last change."""

    __slots__ = ("close", "exponent", "high", "low", "open", "tick", "time", "volume")

    def __init__(self, time: int, tick: int, exponent: int, price: int) -> None:
        self.time = time
        self.tick = tick
        self.exponent = exponent
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0

    def add(self, tick: int, exponent: int, price: int) -> None:
        """Another price; exponents of a token only become finer."""
        if exponent != self.exponent:
            self._refine(exponent)
            price *= 10 ** (exponent - self.exponent)
        self.tick = tick
        self.close = price
        if price > self.high:  # not max(): thousands a second
            self.high = price
        elif price < self.low:
            self.low = price

    def fold(self, later: Bar) -> None:
        """Take in a finer candle that lies in this one, after everything it has."""
        volume = self.volume + later.volume
        for price in (later.high, later.low, later.close):
            self.add(later.tick, later.exponent, price)
        self.volume = volume

    def at(self, time: int) -> Bar:
        """The same as the begin of a coarser candle."""
        made = Bar(time, self.tick, self.exponent, self.open)
        made.high, made.low, made.close = self.high, self.low, self.close
        made.volume = self.volume
        return made

    def json(self) -> str:
        """``[time, open, high, low, close, volume]`` with every digit of the prices."""
        prices = ",".join(
            text(price, self.exponent) for price in (self.open, self.high, self.low, self.close)
        )
        return f"[{self.time},{prices},{round(self.volume, 2)}]"

    def candle(self, address: str) -> Candle:
        """As a row."""
        prices = (self.open, self.high, self.low, self.close)
        return Candle(address, self.time, self.exponent, *prices, self.volume)

    def _refine(self, exponent: int) -> None:
        if exponent >= self.exponent:
            return
        factor = 10 ** (self.exponent - exponent)
        self.exponent = exponent
        self.open *= factor
        self.high *= factor
        self.low *= factor
        self.close *= factor


class _Series:
    """Candles of one token and resolution: those that are done but not stored, and the open one.

    Of the stored ones the last stays, for whoever follows and was not told its end.
    """

    __slots__ = ("done", "open")

    def __init__(self) -> None:
        self.done: deque[Bar] = deque()
        self.open: Bar | None = None

    def stored(self, before: int) -> None:
        while len(self.done) > 1 and self.done[0].time < before:
            self.done.popleft()


class Candles:
    """Candles of ``market`` by resolution in seconds. Call `collect` after each seal."""

    def __init__(
        self, market: Market, rows: CandleRows, clock: Callable[[], float], waiting: int = WAITING
    ) -> None:
        self._market = market
        self._rows = rows
        self._clock = clock
        self._most = waiting
        self._series: dict[int, dict[str, _Series]] = {seconds: {} for seconds in SECONDS}
        self._seen = 0
        self._volumes: dict[str, float] = {}
        self._waiting: deque[Candle] = deque()
        self._loaded = False
        self._stored = 0  # Unix seconds: what ended before is in the database
        self.written = 0
        """Candles of one second stored since the start."""
        self.dropped = 0
        """Those given up because the database was away for too long."""

    @property
    def waiting(self) -> int:
        """Candles of one second that are done and not stored."""
        return len(self._waiting)

    # -- collecting ------------------------------------------------------------------------

    def collect(self) -> None:
        """Take in the prices of the last seal."""
        table = self._market.table
        since, self._seen = self._seen, table.tick
        if since == self._seen:
            return
        second, tick, seconds = int(table.sealed_at), self._seen, self._series[1]
        for key, mantissa, exponent in table.numbers("price", since):
            if mantissa <= 0:
                continue
            series = seconds.get(key)
            bar = None if series is None else series.open
            if bar is not None and bar.time >= second:  # a clock set back begins no candle
                bar.add(tick, exponent, mantissa)
            else:
                self._begin(key, second, mantissa, exponent)
        for key, mantissa, exponent in table.numbers("volume_24h", since):
            self._trade(key, mantissa * 10.0**exponent)

    def _begin(self, key: str, second: int, price: int, exponent: int) -> None:
        """The first price of a second."""
        series = self._series[1].get(key)
        if series is None:
            series = self._series[1][key] = _Series()
        if series.open is not None:
            self._close(key, 0)
        series.open = Bar(second, self._seen, exponent, price)

    def _trade(self, key: str, volume: float) -> None:
        before = self._volumes.get(key)
        self._volumes[key] = volume
        series = self._series[1].get(key)
        if before is not None and volume > before and series is not None and series.open:
            series.open.volume += volume - before
            series.open.tick = self._seen

    def _close(self, key: str, level: int) -> None:
        """The open candle of a resolution is done: it waits, and goes into the next coarser."""
        series = self._series[SECONDS[level]][key]
        bar = series.open
        if bar is None:
            return
        series.open = None
        series.done.append(bar)
        if level == 0:
            self._waiting.append(bar.candle(key))
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self.dropped += 1
        if level + 1 < len(SECONDS):
            self._fold(key, level + 1, bar)

    def _fold(self, key: str, level: int, bar: Bar) -> None:
        seconds = SECONDS[level]
        series = self._series[seconds].setdefault(key, _Series())
        time = bar.time // seconds * seconds
        if series.open is not None and series.open.time != time:
            self._close(key, level)
        if series.open is None:
            series.open = bar.at(time)
        else:
            series.open.fold(bar)

    def _close_all(self, now: int) -> None:
        """Close what ended before ``now``, also of tokens that are silent since."""
        for level, seconds in enumerate(SECONDS):
            for key, series in self._series[seconds].items():
                if series.open is not None and series.open.time + seconds <= now:
                    self._close(key, level)

    # -- the database ----------------------------------------------------------------------

    async def write(self) -> None:
        """Store what is done. Never raises for a database that is away: it waits, up to a bound."""
        try:
            until = int(self._clock())
            self._close_all(until)
            if not self._loaded:
                await self._load(until)
            batch = list(self._waiting)
            await self._rows.write(batch, until)
        except StoreUnavailable:
            log.debug("candles.wait", candles=len(self._waiting))
            return
        for candle in batch:
            if self._waiting and self._waiting[0] is candle:  # else it was dropped meanwhile
                self._waiting.popleft()
        self.written += len(batch)
        self._forget_stored(until)

    async def _load(self, now: int) -> None:
        """What a server before this one had begun."""
        await self._rows.write([], now)  # rolls up what it had written and not rolled up
        for seconds, candle in await self._rows.begun(now):
            series = self._series[seconds].setdefault(candle.address, _Series())
            bar = Bar(candle.time, 0, candle.exponent, candle.open)
            bar.high, bar.low, bar.close = candle.high, candle.low, candle.close
            bar.volume = candle.volume
            if series.open is None:
                series.open = bar
            elif series.open.time == bar.time:  # prices came before we could ask
                bar.fold(series.open)
                series.open = bar
        self._loaded = True

    def _forget_stored(self, until: int) -> None:
        self._stored = until
        for seconds in SECONDS:
            before = until // seconds * seconds
            for series in self._series[seconds].values():
                series.stored(before)

    async def forget(self, keep: dict[int, int]) -> None:
        """Delete stored candles that are older than ``keep`` seconds, by resolution."""
        now = int(self._clock())
        try:
            for resolution, seconds in keep.items():
                if gone := await self._rows.forget(resolution, now - seconds):
                    log.debug("candles.forgotten", resolution=resolution, candles=gone)
        except StoreUnavailable:
            log.debug("candles.kept_longer")

    # -- reading ---------------------------------------------------------------------------

    def newest(self, key: str, seconds: int, since: int) -> list[Bar]:
        """Candles in memory that changed after tick ``since``, oldest first; the last is open."""
        return [bar for bar in self._bars(key, seconds) if bar.tick > since]

    async def history(self, key: str, seconds: int, since: int, until: int, most: int) -> list[str]:
        """The last ``most`` candles that begin in ``since <= time < until``, as JSON arrays.

        Raises `StoreUnavailable`.
        """
        found = dict(await self._rows.of(key, seconds, since, until, most))
        stored = self._stored // seconds * seconds
        for bar in self._bars(key, seconds):
            if max(since, stored) <= bar.time < until:
                found[bar.time] = bar.json()
        return [found[time] for time in sorted(found)[-most:]]

    def _bars(self, key: str, seconds: int) -> Iterator[Bar]:
        """Everything in memory of a token and resolution, with what finer ones have begun."""
        level = SECONDS.index(seconds)
        series = self._series[seconds].get(key)
        last: Bar | None = None
        if series is not None:
            yield from series.done
            last = series.open and series.open.at(series.open.time)
        for finer in reversed(SECONDS[:level]):
            below = self._series[finer].get(key)
            if below is None or below.open is None:
                continue
            time = below.open.time // seconds * seconds
            if last is not None and last.time == time:
                last.fold(below.open)
                continue
            if last is not None:
                yield last
            last = below.open.at(time)
        if last is not None:
            yield last
