"""A table on a socket, as the browser's client meets it: real compiled tables and followers.

The server around them does as a test says: it stops, is cut off, sends a broken frame."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.hub.table import pace_of
from fastws.pages.files import Files
from fastws.pages.origin import SECURITY

WEB = Path(__file__).parents[2] / "fastws" / "web"
COLUMNS = [Column("price", "decimal"), Column("change", "decimal"), Column("symbol", "text")]


class Live:
    """A table `channel` and a small one, `other`; `tick` moves both and flushes to everybody."""

    def __init__(self, epoch: int = 1, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.epoch = epoch
        self.tables = {name: self._made(name) for name in ("channel", "other")}
        self.views = {name: View(table) for name, table in self.tables.items()}
        self.numbers = {name: epoch * 10 + at for at, name in enumerate(self.tables)}
        self.visitors: list[Visitor] = []
        self.heard: list[dict[str, Any]] = []
        self.protocols: list[str] = []
        self.tokens = 0
        self.corrupt = ""
        self.closing: tuple[int, str] | None = None
        self.now = 0.0
        self.url = ""
        self.port = 0
        self.older: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def _made(self, name: str) -> Table:
        table = Table(name, COLUMNS, self.epoch, (("price",), ("price", "change")))
        for number in range(300 if name == "channel" else 5):
            table.add(
                f"key{number}", price=(10**7 + number, -7), change=(0, -2), symbol=f"T{number}"
            )
        table.seal(0.0)
        return table

    async def tick(self, times: int = 1) -> None:
        """Move a fifth of the rows, let one come and one go, flush."""
        for _ in range(times):
            self.now += 0.1
            for name, table in self.tables.items():
                keys = sorted(table.rows())
                for key in self.rng.sample(keys, len(keys) // 5 or 1):
                    price = (self.rng.randrange(10**6, 10**8), -7)
                    table.set_row(
                        key, {"price": price, "change": (self.rng.randrange(-999, 999), -2)}
                    )
                if name == "channel":
                    table.remove(self.rng.choice(keys))
                    new = f"new{self.epoch}-{table.tick}"
                    table.add(new, price=(12345678, -9), change=(1, -2), symbol="Ñew")
                table.seal(self.now)
            for visitor in list(self.visitors):
                await visitor.flush()
            await asyncio.sleep(0)  # a write that is taken at once does not yield

    def rows(self, name: str = "channel") -> dict[str, list[Any]]:
        """What a client that follows everything must hold, to the digit."""
        table = self.tables[name]
        found = {}
        for key, number in table.rows().items():
            row = table.get(key)
            assert row is not None
            found[key] = [number, *(_plain(row[column.name]) for column in COLUMNS)]
        return found

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("fastws",))
        await answer.prepare(request)
        self.protocols.append(request.headers.get("Sec-WebSocket-Protocol", ""))
        if self.closing is not None:
            await answer.close(code=self.closing[0], message=self.closing[1].encode())
            return answer
        visitor = Visitor(self, answer)
        self.visitors.append(visitor)
        await visitor.say(type="connection_established", authenticated=True, user=None)
        async for message in answer:
            if message.type is WSMsgType.TEXT:
                await visitor.take(json.loads(message.data))
        self.visitors.remove(visitor)
        return answer

    async def old_socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("fastws",))
        await answer.prepare(request)
        await answer.send_json({"type": "connection_established", "authenticated": False})
        async for message in answer:
            if (said := json.loads(message.data))["type"] != "ping":
                await self.older.put(said)
        return answer

    async def token(self, request: web.Request) -> web.Response:
        self.tokens += 1
        return web.json_response({"token": f"a.b.{self.tokens}", "expiresIn": 3600})

    async def empty(self, request: web.Request) -> web.Response:
        return web.Response(
            text="<!doctype html><title>empty</title><link rel=icon href=/static/icon.svg>",
            content_type="text/html",
        )


def _plain(cell: Any) -> Any:
    return list(cell) if isinstance(cell, tuple) else cell


class Visitor:
    """One connection and what it follows."""

    def __init__(self, live: Live, socket: web.WebSocketResponse) -> None:
        self.live = live
        self.socket = socket
        self.followers: dict[str, Follower] = {}

    async def say(self, **message: Any) -> None:
        with suppress(ConnectionError):
            await self.socket.send_json(message)

    async def take(self, said: dict[str, Any]) -> None:
        if said["type"] == "ping":
            await self.say(type="pong")
            return
        self.live.heard.append(said)
        if said["type"] == "subscribe":
            await self.subscribe(said)
        elif said["type"] == "resync":
            self.followers[said["channel"]].restart()
            await self.flush()
        elif said["type"] in ("pause", "resume"):
            self.followers[said["channel"]].paused = said["type"] == "pause"

    async def subscribe(self, said: dict[str, Any]) -> None:
        name = said["channel"]
        view, number = self.live.views[name], self.live.numbers[name]
        fields: dict[str, Any] = {}
        follower = self.followers.get(name)
        if follower is None:
            follower = Follower(view, number, name, keys=said.get("rows"))
            self.followers[name] = follower
            if since := said.get("since"):
                fields["recovered"] = follower.resume(
                    since["epoch"], since["tick"], said.get("new", ())
                )
        else:
            follower.follow(said.get("rows"))
        follower.pace = pace_of(said.get("max_rate_ms", 0), 100)
        table = self.live.tables[name]
        told = {"kind": "table", "epoch": table.epoch, "tick": table.tick, "channel_id": number}
        await self.say(
            type="subscription_confirmed", channel=name, **told, **view.describe(), **fields
        )
        await self.flush()

    async def flush(self) -> None:
        for name, follower in self.followers.items():
            while frame := follower.flush(self.live.now):
                if name == self.live.corrupt:
                    self.live.corrupt = ""
                    frame = frame[:-2] + bytes([frame[-2] ^ 0x01, frame[-1]])
                with suppress(ConnectionError):
                    await self.socket.send_bytes(frame)


@asynccontextmanager
async def serving(live: Live, port: int = 0) -> AsyncIterator[Live]:
    """The server on a port of 127.0.0.1; with the block it and its sockets die."""
    app = web.Application()
    app.add_routes(Files(WEB).routes())
    app.router.add_get("/empty", live.empty)
    app.router.add_get("/api/v69/ws/token-data", live.socket)
    app.router.add_get("/older", live.old_socket)
    app.router.add_get("/api/auth/token", live.token)

    async def decorate(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY)

    app.on_response_prepare.append(decorate)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    live.port = runner.addresses[0][1]
    live.url = f"http://127.0.0.1:{live.port}/empty"
    try:
        yield live
    finally:
        for visitor in list(live.visitors):
            transport = visitor.socket._req and visitor.socket._req.transport
            if transport is not None:
                transport.abort()
        await runner.cleanup()


class Tunnel:
    """A way to a server that can be cut: every connection breaks, and none gets through."""

    def __init__(self, port: int, delay: Callable[[], float]) -> None:
        self.target = port
        self.delay = delay
        self.open = True
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.ensure_future(self._copy(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if (seconds := self.delay()) > 0:
                    await asyncio.sleep(seconds)
                sink.write(data)
                await sink.drain()
        sink.close()

    def cut(self) -> None:
        self.open = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def mend(self) -> None:
        self.open = True


@asynccontextmanager
async def tunnel(port: int, delay: Callable[[], float] = lambda: 0.0) -> AsyncIterator[Tunnel]:
    """A way to a port; ``delay()`` is the seconds that a piece of what goes through is held up."""
    way = Tunnel(port, delay)
    server = await asyncio.start_server(way._through, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        way.cut()
        server.close()
