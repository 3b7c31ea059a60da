"""A live client of an exchange's combined stream (Binance format).

Owns the reading of ``bookTicker``, ``trade`` and ``miniTicker`` messages (`CombinedStream`,
which a recording may feed as well) and the connection that never gives up (`Exchange`).
Knows nothing of channels or clients.

The price of a symbol is its last trade, exactly as the exchange wrote it; without a ``trade``
stream it is the close of ``miniTicker``; a symbol of which only the book is known shows its
best bid, a price that exists at the symbol's tick size, which the middle of the book does not.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Final

import aiohttp
import msgspec
import structlog
from msgspec import Meta, Raw, Struct

from fastws.domain.market import FeedStatus, Market, Scaled, Token, parse
from fastws.errors import ConfigError, Unavailable

__all__ = ["CombinedStream", "Exchange"]

log = structlog.get_logger()

MAX_SYMBOLS: Final = 5000
MAX_MESSAGE: Final = 1 << 20
"""Bytes of the longest message read; ``!miniTicker@arr`` of a whole exchange is half of it."""

PRICE_DIGITS: Final = 15
BACKOFF_FIRST: Final = 0.5
BACKOFF_LONGEST: Final = 60.0
HEALTHY_SECONDS: Final = 30.0
"""s; a connection that gave data for so long was good: its end is no failure."""

CONNECT_SECONDS: Final = 10.0
TURN: Final = 64
"""Messages read before other tasks have a turn, should the exchange flood."""

Symbol = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$")]


class _Envelope(Struct):
    stream: str
    data: Raw


class _Book(Struct):
    s: Symbol
    u: int
    b: str


class _Trade(Struct):
    """``m``: the buyer was the maker, so somebody sold to him."""

    s: Symbol
    t: int
    p: str
    m: bool


class _MiniTicker(Struct):
    """``o`` and ``c``: first and last price of 24 h; ``q``: their volume in quote currency."""

    s: Symbol
    o: str
    c: str
    q: str


class _Symbol:
    """What is known of one symbol."""

    __slots__ = ("book", "pressure", "rank", "trade")

    def __init__(self) -> None:
        self.rank = 0  # of the kind that gives the price: 1 book, 2 miniTicker, 3 trade
        self.book = 0  # last update id
        self.trade = 0  # last trade id
        self.pressure = 0.5  # share of buyers among recent trades


class CombinedStream:
    """Reads the messages of a combined stream into a `Market`.

    Unknown kinds are counted as ignored, nonsense as malformed; neither stops the stream.
    ``bookTicker`` update ids must grow; trade ids must be consecutive, a hole is counted in
    ``feed.gaps``; what is older than what was applied is counted and skipped.
    """

    def __init__(self, market: Market, max_symbols: int = MAX_SYMBOLS) -> None:
        self._market = market
        self._feed = market.feed
        self._max = max_symbols
        self._symbols: dict[str, _Symbol] = {}
        self._fresh: set[str] = set()
        envelope = msgspec.json.Decoder(_Envelope)
        self._open = envelope.decode
        self._kinds: dict[str, tuple[Callable[[Any], Any], Callable[[Any], None]]] = {
            "bookTicker": (msgspec.json.Decoder(_Book).decode, self._book),
            "trade": (msgspec.json.Decoder(_Trade).decode, self._trade),
            "miniTicker": (msgspec.json.Decoder(_MiniTicker).decode, self._mini_ticker),
            "!miniTicker": (msgspec.json.Decoder(list[_MiniTicker]).decode, self._mini_tickers),
        }

    def receive(self, message: bytes | str) -> bool:
        """Apply one message; True when it was data."""
        try:
            envelope = self._open(message)
            name = envelope.stream
            kind = self._kinds.get(name.partition("@")[0 if name.startswith("!") else 2])
            if kind is None:
                self._feed.ignored += 1
                return False
            decode, apply = kind
            apply(decode(envelope.data))
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            self._feed.malformed += 1
            log.debug("feed.malformed", error=str(error))
            return False
        self._feed.touch()
        return True

    def restart(self) -> None:
        """A new connection: the numbering may have begun anew."""
        for symbol in self._symbols.values():
            symbol.book = 0
        self._fresh = set(self._symbols)

    # -- kinds -----------------------------------------------------------------------------

    def _book(self, data: _Book) -> None:
        bid = _price(data.b)
        symbol = self._symbol(data.s)
        if data.u <= symbol.book:
            self._feed.out_of_order += 1
            return
        symbol.book = data.u
        self._quote(data.s, symbol, bid, 1)

    def _trade(self, data: _Trade) -> None:
        price = _price(data.p)
        symbol = self._symbol(data.s)
        last = symbol.trade
        if data.t <= last and data.s not in self._fresh:
            self._feed.out_of_order += 1
            return
        self._fresh.discard(data.s)
        if 0 < last < data.t - 1:
            self._feed.gaps += data.t - last - 1
        symbol.trade = data.t
        self._quote(data.s, symbol, price, 3)
        symbol.pressure += 0.02 * ((not data.m) - symbol.pressure)
        self._market.set(data.s, "buy_pressure", (round(1000 * symbol.pressure), -1))

    def _mini_ticker(self, data: _MiniTicker) -> None:
        close, opened = _price(data.c), _price(data.o)
        volume = parse(data.q, digits=30)
        symbol = self._symbol(data.s)
        self._quote(data.s, symbol, close, 2)
        self._market.set(data.s, "change_24h", _change(close, opened))
        self._market.set(data.s, "volume_24h", volume)

    def _mini_tickers(self, tickers: list[_MiniTicker]) -> None:
        for ticker in tickers:
            self._mini_ticker(ticker)

    def _quote(self, name: str, symbol: _Symbol, price: Scaled, rank: int) -> None:
        """Take a price unless a better kind of price is known for the symbol."""
        if rank >= symbol.rank:
            symbol.rank = rank
            self._market.set(name, "price", price, PRICE_DIGITS)

    def _symbol(self, name: str) -> _Symbol:
        symbol = self._symbols.get(name)
        if symbol is None:
            if len(self._symbols) >= self._max:
                raise ValueError(f"more than {self._max} symbols")
            symbol = self._symbols[name] = _Symbol()
        if name not in self._market:
            self._market.upsert(Token(address=name, symbol=name, name=name))
        return symbol


class Exchange:
    """The source ``exchange``: keeps a `CombinedStream` connected.

    ``url`` is the combined stream (``wss://…/stream?streams=btcusdt@trade/…``). Without data
    for ``stale_seconds`` the feed is stale and the connection is made anew. Attempts back off
    with full jitter, up to a minute; the exchange's daily disconnect is followed at once.
    `ConfigError` when ``url`` is none.
    """

    def __init__(
        self,
        market: Market,
        url: str,
        stale_seconds: float = 15.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
        guard: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """``guard()`` lets an attempt to connect through, or refuses it."""
        if not url.startswith(("ws://", "wss://")):
            raise ConfigError("market.exchange_url must be a ws:// or wss:// URL.")
        self._feed = market.feed
        self._stream = CombinedStream(market)
        self._url = url
        self._stale = stale_seconds
        self._monotonic = monotonic
        self._jitter = jitter
        self._guard = guard
        self.failures = 0
        """Attempts since the last connection that gave data for a while."""

    async def run(self) -> None:
        """Connect, read, reconnect, until cancelled."""
        self._feed.begin("exchange")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            while True:
                begun = self._monotonic()
                reason, messages = await self._connect(session)
                lived = self._monotonic() - begun
                self.failures = 0 if messages and lived > HEALTHY_SECONDS else self.failures + 1
                delay = self._delay()
                log.warning("feed.lost", reason=reason, messages=messages, retry_in=round(delay, 2))
                await asyncio.sleep(delay)
                self._feed.reconnects += 1

    def _delay(self) -> float:
        """Seconds before the next attempt."""
        longest = min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** min(self.failures, 20))
        return self._jitter(0.0, longest)

    async def _connect(self, session: aiohttp.ClientSession) -> tuple[str, int]:
        """One connection; returns why it ended and how many messages were data."""
        messages = 0
        try:
            with self._guard():
                async with asyncio.timeout(CONNECT_SECONDS):
                    socket = await session.ws_connect(
                        self._url,
                        max_msg_size=MAX_MESSAGE,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return f"connect: {type(error).__name__}", 0
        except Unavailable as refusal:
            return str(refusal), 0
        log.info("feed.connected")
        self._stream.restart()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._stale) as patience:
                while True:
                    message = await socket.receive()
                    if message.type is aiohttp.WSMsgType.TEXT:
                        if self._stream.receive(message.data):
                            messages += 1
                            patience.reschedule(loop.time() + self._stale)
                        if (messages + self._feed.malformed) % TURN == 0:
                            await asyncio.sleep(0)
                    elif message.type is aiohttp.WSMsgType.BINARY:
                        self._feed.malformed += 1
                    else:
                        return f"closed: {message.type.name} {socket.close_code}", messages
        except TimeoutError:
            self._feed.become(FeedStatus.STALE)
            return "stale", messages
        finally:
            await socket.close()

    async def _watch(self) -> None:
        """Call the feed stale when no data came for a while, connected or not."""
        while True:
            age = self._feed.age()
            if self._feed.status is FeedStatus.LIVE and age is not None and age >= self._stale:
                self._feed.become(FeedStatus.STALE)
                log.warning("feed.stale", seconds=round(age, 1))
            wait = self._stale - age if age is not None and age < self._stale else self._stale
            await asyncio.sleep(max(wait, 0.01))


def _price(text: str) -> Scaled:
    price = parse(text)
    if price[0] <= 0:
        raise ValueError("a price must be positive")
    return price


def _change(close: Scaled, opened: Scaled) -> Scaled:
    """Change in per cent, two decimals, by integers alone."""
    scale = min(close[1], opened[1])
    now = close[0] * int(10 ** (close[1] - scale))
    then = opened[0] * int(10 ** (opened[1] - scale))
    return round((now - then) * 10_000 / then), -2
