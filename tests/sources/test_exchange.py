"""The exchange client against a local server that behaves well, badly and not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, FeedStatus, Market
from fastws.errors import ConfigError
from fastws.sources.exchange import (
    BACKOFF_LONGEST,
    Exchange,
)

EXCERPT = Path(__file__).parent / "data" / "combined.txt"
LINES = [line.partition(" ")[2] for line in EXCERPT.read_text().splitlines()]

Script = Callable[[web.WebSocketResponse, int], Awaitable[None]]


def figure(market: Market, symbol: str, name: str = "price") -> tuple[int, int] | None:
    market.table.seal(0.0)
    return market.figure(symbol, name)


def trade(number: int, price: str) -> bytes:
    data = {"e": "trade", "s": "BTCUSDT", "t": number, "p": price, "m": False}
    return orjson.dumps({"stream": "btcusdt@trade", "data": data})


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
    async def test_needs_a_url(self) -> None:
        with pytest.raises(ConfigError, match=r"market\.exchange_url must be a ws://"):
            Exchange(live_market(), "")

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
