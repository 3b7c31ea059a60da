"""The page's own files under their real headers, and a socket that does as a test says.

What the page does with a real server is in tests/e2e; here are the moments a real server cannot
be asked for: a close code, a drain, a name full of markup, silence.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from fastws.pages.files import Files
from fastws.pages.origin import SECURITY

WEB = Path(__file__).parents[2] / "fastws" / "web"


def token(number: int, **fields: Any) -> dict[str, Any]:
    """A token of wire.md A5; a larger number has a smaller volume."""
    return {
        "id": number,
        "symbol": f"T{number}",
        "name": f"Token {number}",
        "address": f"{number:04}".rjust(44, "A"),
        "price": 1.5,
        "change_24h": 2.5,
        "volume_24h": 1_000_000 - number,
        **fields,
    }


class Site:
    """A port with the page; `accept` gives the socket of the page's next connection."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = [token(number) for number in range(300)]
        self.user: dict[str, str] | None = None
        self._sockets: asyncio.Queue[Visitor] = asyncio.Queue()

    async def accept(self) -> Visitor:
        """The next connection, opened as token-data opens one."""
        async with asyncio.timeout(40):
            visitor = await self._sockets.get()
        await visitor.send(type="token_update", channel="public.tokens", data=self.tokens)
        await visitor.send(
            type="connection_established", authenticated=self.user is not None, user=self.user
        )
        return visitor

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("fastws",))
        await answer.prepare(request)
        visitor = Visitor(answer, request.headers.get("Sec-WebSocket-Protocol", ""))
        await self._sockets.put(visitor)
        async for message in answer:
            if message.type is WSMsgType.TEXT:
                await visitor.heard.put(json.loads(message.data))
        return answer

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "online", "message": "Server is operating normally"})


class Visitor:
    """One connection of the page."""

    def __init__(self, socket: web.WebSocketResponse, protocols: str) -> None:
        self.socket = socket
        self.protocols = protocols
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def next(self, type_: str) -> dict[str, Any]:
        """The next message of this type; others are let go."""
        async with asyncio.timeout(20):
            while (message := await self.heard.get())["type"] != type_:
                pass
        return message


@asynccontextmanager
async def served() -> AsyncIterator[Site]:
    site = Site()
    socket = web.get("/api/v69/ws/token-data", site.socket)
    async with pages_served(socket, web.get("/api/status", site.status)) as url:
        site.url = f"{url}/"
        yield site


@asynccontextmanager
async def pages_served(*more: web.RouteDef) -> AsyncIterator[str]:
    """The pages' own files and these routes under the real headers, on a port: its address."""
    app = web.Application()
    app.add_routes([*Files(WEB).routes(), *more])

    async def decorate(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY)

    app.on_response_prepare.append(decorate)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
