"""A gateway on a real port: pages of aiohttp behind it, an echo endpoint, a door that obeys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import orjson
from aiohttp import web

from fastws._core.deflate import Deflater
from fastws._core.line import Cork
from fastws._core.wheel import Wheel
from fastws.config import EndpointConfig, GatewayConfig, LimitsConfig, ServerConfig
from fastws.connection import Allowances, Connection, Peer
from fastws.endpoint import Endpoint
from fastws.endpoints.test import Test
from fastws.gateway import Gateway, Proxies
from fastws.identity import ANONYMOUS, Credential, Identity, OriginRule
from fastws.metrics import Stats
from fastws.pages import protocol_factory
from tests.core.wire import frames_of, masked
from tests.fakes import Clock, make_base, make_hub

LISTED = "https://degenduel.me"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PATH = "/api/v69/ws/test"
TEXT, CLOSE = 1, 8
PATIENCE = 60.0
"""Seconds after which a test is stuck, not slow."""


def handshake(path: str = PATH + "?raw=1", *more: str, **fields: str | None) -> bytes:
    """A request for a WebSocket; ``fields`` replace (None: leave out) a header's value."""
    headers: dict[str, str | None] = {
        "Host": "fast.test",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, *more, "", ""]).encode()


class Client:
    """A raw connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of an answer with a length."""
        head = await self.head()
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        async with asyncio.timeout(PATIENCE):
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split(" ")[1]), headers, body

    async def frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(PATIENCE):
            data = await self.reader.readexactly(2)
            size = data[1]
            if size == 126:
                data += await self.reader.readexactly(2)
                size = int.from_bytes(data[2:], "big")
            data += await self.reader.readexactly(size)
        return frames_of(data)[0]

    async def echo(self, text: bytes = b"hello") -> None:
        await self.send(masked(0x81, text))
        assert await self.frame() == (TEXT, text)

    async def rest(self) -> bytes:
        """Everything until the end."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    def close(self) -> None:
        self.writer.close()


class FakeDoor:
    """Admits everybody to the echo; ``waits`` makes it ask as long as it is unset."""

    def __init__(self) -> None:
        hub = make_hub(Clock())
        self.endpoint = Test(make_base(hub, Clock()), lambda: len(self.connections))
        self.origins = OriginRule([LISTED])
        self.connections: list[Connection] = []
        self.credentials: list[Credential | None] = []
        self.asked = asyncio.Event()
        self.waits: asyncio.Event | None = None
        self.broken: str = ""
        self.gone = asyncio.Event()
        self.given_up = asyncio.Event()

    def find(self, path: str) -> Endpoint | None:
        return self.endpoint if path == PATH else None

    def allows_origin(self, origin: str | None, own: str, has_cookie: bool) -> bool:
        return self.origins.allows(origin, own, has_cookie)

    async def identify(self, credential: Credential | None) -> Identity | Exception:
        self.credentials.append(credential)
        self.asked.set()
        if self.broken == "identify":
            raise RuntimeError("inner text")
        if self.waits is not None:
            try:
                await self.waits.wait()
            except asyncio.CancelledError:
                self.given_up.set()
                raise
        return ANONYMOUS

    def connect(
        self,
        endpoint: Endpoint,
        who: Identity | Exception,
        peer: Peer,
        query: Mapping[str, str],
        outlet: Any,
    ) -> Connection:
        if self.broken == "connect":
            raise RuntimeError("inner text")
        conn = Connection(
            endpoint,
            ANONYMOUS,
            peer,
            outlet,
            limits=LimitsConfig(),
            allowance=Allowances(LimitsConfig()).of(
                endpoint.path,
                EndpointConfig(messages_per_minute=10_000),
                ANONYMOUS,
                peer.address,
            ),
            stats=Stats(),
            query=dict(query),
            on_gone=lambda conn: self.gone.set(),
        )
        self.connections.append(conn)
        conn.begin()
        return conn


class Edge:
    """The gateway, its door and its pages."""

    def __init__(self, door: FakeDoor, gateway: Gateway, deflater: Deflater, clock: Clock) -> None:
        self.door, self.gateway, self.deflater, self.clock = door, gateway, deflater, clock
        self.clients: list[Client] = []

    async def client(self, data: bytes = b"", source: str | None = None, **options: Any) -> Client:
        local = (source, 0) if source else None
        opened = asyncio.open_connection(
            "127.0.0.1", self.gateway.port, local_addr=local, **options
        )
        async with asyncio.timeout(PATIENCE):
            made = Client(*await opened)
        self.clients.append(made)
        if data:
            await made.send(data)
        return made

    async def websocket(self, **options: Any) -> Client:
        made = await self.client(handshake(), **options)
        assert (await made.head()).startswith(b"HTTP/1.1 101 ")
        return made

    async def refused(self, data: bytes, **options: Any) -> tuple[int, str]:
        """Status and sentence of a refusal, after which the connection ends."""
        made = await self.client(data, **options)
        status, headers, body = await made.answer()
        assert headers["connection"] == "close"
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["x-content-type-options"] == "nosniff"
        assert await made.rest() == b""
        found = orjson.loads(body)
        assert list(found) == ["error"]
        return status, found["error"]

    def reading(self) -> bool:
        """Whether the gateway reads from any socket."""
        leases = self.gateway._admission.leases
        return any(lease.transport.is_reading() for lease in leases)

    async def until(self, condition: Any) -> None:
        """Wait for something that other ends of sockets bring about."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - the kernel sets no event
                await asyncio.sleep(0.001)


async def _hello(request: web.Request) -> web.Response:
    return web.json_response({"path": request.path, "size": len(await request.read())})


async def _broken(request: web.Request) -> web.Response:
    raise RuntimeError("inner text")


@asynccontextmanager
async def edge(
    *,
    server: dict[str, Any] | None = None,
    proxies: list[str] | None = None,
    clock: Clock | None = None,
    **gateway: Any,
) -> AsyncIterator[Edge]:
    """A gateway for one test; ``gateway`` are settings of its section."""
    app = web.Application()
    app.router.add_route("*", "/hello", _hello)
    app.router.add_route("*", "/broken", _broken)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    door, deflater, clock = FakeDoor(), Deflater(), clock or Clock(100.0)
    made = Gateway(
        door,
        protocol_factory(runner),
        Wheel(30.0, 20.0),
        Cork(),
        deflater,
        server=msgspec.structs.replace(ServerConfig(port=0), **(server or {})),
        gateway=GatewayConfig(**gateway),
        limits=LimitsConfig(),
        proxies=Proxies(proxies or []),
        clock=clock,
    )
    await made.start()
    this = Edge(door, made, deflater, clock)
    try:
        yield this
    finally:
        for client in this.clients:
            client.close()
        await made.stop()
        await runner.cleanup()
    assert made.open_sockets == 0, "every socket is given back"
    assert made.pending_heads == 0, "every head is dealt with"
    for conn in door.connections:
        await conn.idle()
        assert conn.close_code is not None, "every connection has ended"
