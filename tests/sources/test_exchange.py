"""The exchange client against a local server that behaves well, badly and not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, FeedStatus, Market
from fastws.errors import ConfigError
from fastws.sources.exchange import (
    BACKOFF_LONGEST,
    CombinedStream,
    Exchange,
)

EXCERPT = Path(__file__).parent / "data" / "combined.txt"
LINES = [line.partition(" ")[2] for line in EXCERPT.read_text().splitlines()]

Script = Callable[[web.WebSocketResponse, int], Awaitable[None]]


def figure(market: Market, symbol: str, name: str = "price") -> tuple[int, int] | None:
    market.table.seal(0.0)
    return market.figure(symbol, name)


def message(stream: str, **data: Any) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def trade(number: int, price: str, symbol: str = "BTCUSDT", *, sold: bool = False) -> bytes:
    return message(f"{symbol.lower()}@trade", e="trade", s=symbol, t=number, p=price, m=sold)


def book(update: int, bid: str, symbol: str = "BTCUSDT") -> bytes:
    return message(f"{symbol.lower()}@bookTicker", s=symbol, u=update, b=bid, a="1", B="1", A="1")


def ticker(close: str, opened: str = "2500", volume: str = "10.5") -> bytes:
    return message(
        "ethusdt@miniTicker", e="24hrMiniTicker", s="ETHUSDT", c=close, o=opened, q=volume
    )


@pytest.fixture
def market() -> Market:
    return Market(Table("tokens", COLUMNS, epoch=1), lambda: 1_700_000_000.0)


@pytest.fixture
def stream(market: Market) -> CombinedStream:
    return CombinedStream(market)


class TestPrice:
    def test_the_book_until_there_is_a_trade(self, market: Market, stream: CombinedStream) -> None:
        assert stream.receive(book(1, "61685.99000000"))
        assert figure(market, "BTCUSDT") == (6168599, -2)
        assert stream.receive(trade(1, "61686.00000000"))
        assert figure(market, "BTCUSDT") == (6168600, -2)
        assert stream.receive(book(2, "61000.00000000"))
        assert figure(market, "BTCUSDT") == (6168600, -2), "the book no longer counts"

    def test_mini_ticker(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(ticker("2626.00000000", "2500.00", "13390258.12345678"))
        assert figure(market, "ETHUSDT") == (2626, 0)
        assert figure(market, "ETHUSDT", "change_24h") == (504, -2)
        assert figure(market, "ETHUSDT", "volume_24h") == (133902581235, -4)
        stream.receive(trade(1, "2627.10", "ETHUSDT"))
        stream.receive(ticker("2626.00"))
        assert figure(market, "ETHUSDT") == (26271, -1), "the trade is newer by its nature"

    def test_all_tickers_in_one_message(self, market: Market, stream: CombinedStream) -> None:
        data = [{"s": s, "c": "2", "o": "1", "q": "3", "e": "24hrMiniTicker"} for s in ("A", "B")]
        assert stream.receive(orjson.dumps({"stream": "!miniTicker@arr", "data": data}))
        assert figure(market, "A") == figure(market, "B") == (2, 0)

    def test_buyers_share(self, market: Market, stream: CombinedStream) -> None:
        for number in range(1, 300):
            stream.receive(trade(number, "1", sold=number % 4 == 0))
        pressure = figure(market, "BTCUSDT", "buy_pressure")
        assert pressure is not None
        assert 650 < pressure[0] < 850
        assert pressure[1] == -1

    def test_the_finest_tick_seen_is_kept(self, market: Market, stream: CombinedStream) -> None:
        for number, price in enumerate(("100", "100.5", "100.25", "101"), 1):
            stream.receive(trade(number, price))
        assert figure(market, "BTCUSDT") == (10100, -2)


class TestNumbering:
    def test_older_books_are_skipped(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(book(10, "5"))
        stream.receive(book(9, "4"))
        stream.receive(book(10, "3"))
        assert figure(market, "BTCUSDT") == (5, 0)
        assert market.feed.out_of_order == 2

    def test_missing_trades_are_counted(self, market: Market, stream: CombinedStream) -> None:
        for number in (100, 101, 105, 103):
            stream.receive(trade(number, str(number)))
        assert market.feed.gaps == 3
        assert market.feed.out_of_order == 1
        assert figure(market, "BTCUSDT") == (105, 0)

    def test_a_new_connection_may_number_anew(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(book(1000, "5", "X"))
        stream.receive(trade(1000, "5"))
        stream.restart()
        stream.receive(book(1, "6", "X"))
        stream.receive(trade(3, "6"))
        assert figure(market, "BTCUSDT") == (6, 0)
        assert figure(market, "X") == (6, 0)
        assert market.feed.out_of_order == 0
        stream.receive(trade(2, "7"))
        assert market.feed.out_of_order == 1

    def test_trades_missed_between_connections_are_a_gap(
        self, market: Market, stream: CombinedStream
    ) -> None:
        stream.receive(trade(10, "5"))
        stream.restart()
        stream.receive(trade(20, "5"))
        assert market.feed.gaps == 9


class TestNonsense:
    @pytest.mark.parametrize(
        "bad",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff\xfe",
            b"{" * 100_000,
            b'{"stream":"a@trade"}',
            b'{"stream":"a@trade","data":null}',
            b'{"stream":"a@trade","data":{"s":"A","t":1,"p":1.5,"m":true}}',
            b'{"stream":"a@trade","data":{"s":"A","t":"1","p":"1.5","m":true}}',
            b'{"stream":"a@trade","data":{"s":"A B","t":1,"p":"1.5","m":true}}',
            b'{"stream":"!miniTicker@arr","data":{}}',
            trade(1, "0.000"),
            trade(1, "-1"),
            trade(1, "1e5"),
            trade(1, "NaN"),
            trade(1, "9" * 5000),
            trade(1, "1", "S" * 41),
            ticker("1", "0"),
            ticker("1", "1", "x"),
        ],
    )
    def test_is_counted_and_skipped(
        self, market: Market, stream: CombinedStream, bad: bytes
    ) -> None:
        assert not stream.receive(bad)
        assert market.feed.malformed == 1
        assert len(market) == 0
        assert stream.receive(trade(1, "1"))

    def test_other_kinds_are_ignored(self, market: Market, stream: CombinedStream) -> None:
        assert not stream.receive(message("btcusdt@depth@100ms", e="depthUpdate", s="BTCUSDT"))
        assert not stream.receive(message("btcusdt@kline_1m", e="kline"))
        assert not stream.receive(message("", e="x"))
        assert market.feed.ignored == 3
        assert len(market) == 0

    def test_symbols_are_bounded(self, market: Market) -> None:
        stream = CombinedStream(market, max_symbols=2)
        for number in range(5):
            stream.receive(trade(1, "1", f"S{number}"))
        assert len(market) == 2
        assert market.feed.malformed == 3


class Server:
    """A local exchange: connection n follows ``script(socket, n)``."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.pongs = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.connections += 1
        await self.script(socket, self.connections)
        return socket


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    server = Server(script)
    app = web.Application()
    app.router.add_get("/stream", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"ws://127.0.0.1:{port}/stream?streams=btcusdt@trade"
    try:
        yield server
    finally:
        await runner.cleanup()


class Watch:
    """Wakes up whenever the feed or the server did something, to look at a condition."""

    def __init__(self, market: Market) -> None:
        self.statuses: list[FeedStatus] = []
        self._moved = asyncio.Event()
        touch = market.feed.touch

        def touched(updates: int = 1) -> None:
            touch(updates)
            self.poke()

        market.feed.touch = touched  # type: ignore[method-assign]
        market.feed.on_change.append(self._became)

    def _became(self, status: FeedStatus) -> None:
        self.statuses.append(status)
        self.poke()

    def poke(self) -> None:
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def running(source: Exchange) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def client(market: Market, url: str, stale: float = 5.0) -> Exchange:
    return Exchange(market, url, stale, jitter=lambda low, high: 0.0)


async def hold(socket: web.WebSocketResponse) -> None:
    """Keep a connection open until the other side closes it."""
    async for _ in socket:
        pass


class TestConnection:
    def test_needs_a_url(self, market: Market) -> None:
        with pytest.raises(ConfigError, match=r"market\.exchange_url must be a ws://"):
            Exchange(market, "")

    async def test_serves_the_recorded_messages(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            for line in LINES:
                await socket.send_str(line)
            await hold(socket)

        market = live_market()
        async with serving(script) as server, running(client(market, server.url)):
            await Watch(market).until(lambda: market.feed.updates == 8)
            assert figure(market, "BTCUSDT") == (6168550, -2)
            assert figure(market, "SHIBUSDT") == (1300, -8)
            assert market.feed.status is FeedStatus.LIVE
            assert server.connections == 1

    async def test_reconnects_after_a_drop(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            await socket.send_bytes(trade(number, str(number)))
            await socket.send_str(trade(number, str(number)).decode())
            if number == 1:
                return  # closes
            if number == 2:
                assert socket._req is not None
                assert socket._req.transport is not None
                socket._req.transport.abort()
                return
            await hold(socket)

        market = live_market()
        async with serving(script) as server, running(client(market, server.url)):
            await Watch(market).until(lambda: market.feed.updates == 3)
            assert server.connections == 3
            assert market.feed.reconnects == 2
            assert figure(market, "BTCUSDT") == (3, 0)
            assert market.feed.malformed == 3, "binary messages"

    async def test_garbage_does_not_end_the_connection(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            for _ in range(500):
                await socket.send_str('{"stream":"x@trade","data":[')
            await socket.send_str(trade(1, "7").decode())
            await hold(socket)

        market = live_market()
        async with serving(script) as server, running(client(market, server.url)):
            await Watch(market).until(lambda: market.feed.updates == 1)
            assert market.feed.malformed == 500
            assert server.connections == 1

    async def test_a_giant_message_ends_the_connection(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            if number == 1:
                await socket.send_str("x" * (2 << 20))
            await socket.send_str(trade(1, "7").decode())
            await hold(socket)

        market = live_market()
        async with serving(script) as server, running(client(market, server.url)):
            await Watch(market).until(lambda: market.feed.updates == 1)
            assert server.connections == 2

    async def test_a_stall_is_stale_and_makes_a_new_connection(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            await socket.send_str(trade(number, "7").decode())
            if number > 1:
                await socket.send_str(trade(number + 1, "8").decode())
            await hold(socket)

        market = live_market()
        watch = Watch(market)
        async with serving(script) as server, running(client(market, server.url, stale=0.2)):
            await watch.until(lambda: market.feed.updates >= 3)
            assert server.connections >= 2
        live = watch.statuses.index(FeedStatus.LIVE)
        stale = watch.statuses.index(FeedStatus.STALE, live)
        assert FeedStatus.LIVE in watch.statuses[stale:]

    async def test_pings_and_garbage_do_not_hide_a_stall(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            await socket.send_str(trade(number, "7").decode())
            while not socket.closed:
                await socket.ping(b"x")
                await socket.send_str("{}")
                if (await socket.receive()).type not in (web.WSMsgType.PONG, web.WSMsgType.PING):
                    return

        market = live_market()
        watch = Watch(market)
        async with serving(script) as server, running(client(market, server.url, stale=0.2)):
            await watch.until(lambda: market.feed.updates >= 2)
            assert server.connections >= 2
        assert FeedStatus.STALE in watch.statuses

    async def test_answers_pings(self) -> None:
        ponged = asyncio.Event()

        async def script(socket: web.WebSocketResponse, number: int) -> None:
            await socket.ping(b"are you there")
            answer = await socket.receive()
            assert answer.type is web.WSMsgType.PONG
            assert bytes(answer.data) == b"are you there"
            ponged.set()
            await hold(socket)

        async with serving(script) as server, running(client(live_market(), server.url)):
            await asyncio.wait_for(ponged.wait(), 5)

    async def test_keeps_trying_while_nobody_answers(self) -> None:
        market = live_market()
        delays: list[tuple[float, float]] = []

        watch = Watch(market)

        def jitter(low: float, high: float) -> float:
            delays.append((low, high))
            watch.poke()
            return 0.0

        async with serving(hold_script) as server:
            url = server.url
        source = Exchange(market, url, jitter=jitter)
        async with running(source):
            await watch.until(lambda: len(delays) >= 12)
        assert [high for _, high in delays[:4]] == [1.0, 2.0, 4.0, 8.0]
        assert delays[-1] == (0.0, BACKOFF_LONGEST)
        assert source.failures >= 12
        assert market.feed.status is FeedStatus.CONNECTING

    async def test_the_daily_disconnect_is_followed_at_once(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            await socket.send_str(trade(number, "7").decode())

        now = 0.0

        def monotonic() -> float:
            nonlocal now
            now += 86_400
            return now

        market = live_market()
        highest: list[float] = []
        async with serving(script) as server:
            source = Exchange(
                market,
                server.url,
                monotonic=monotonic,
                jitter=lambda low, high: highest.append(high) or 0.0,  # type: ignore[func-returns-value]
            )
            async with running(source):
                await Watch(market).until(lambda: market.feed.updates >= 4)
        assert set(highest) == {0.5}

    async def test_the_feed_is_stale_while_the_exchange_is_away(self) -> None:
        async def script(socket: web.WebSocketResponse, number: int) -> None:
            if number == 1:
                await socket.send_str(trade(number, "7").decode())

        market = live_market()
        watch = Watch(market)
        async with serving(script) as server, running(client(market, server.url, stale=0.2)):
            await watch.until(lambda: FeedStatus.STALE in watch.statuses)


async def hold_script(socket: web.WebSocketResponse, number: int) -> None:
    await hold(socket)


def live_market() -> Market:
    return Market(Table("tokens", COLUMNS, epoch=1), asyncio.get_running_loop().time)
