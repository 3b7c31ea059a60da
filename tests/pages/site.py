"""The pages on a real port over a real database, with a world the tests can change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession, CookieJar, DummyCookieJar, web

from fastws.connection import Peer
from fastws.domain.flags import Flags
from fastws.domain.rollout import Rollout
from fastws.errors import Code, Unavailable, WireError
from fastws.identity import OriginRule
from fastws.pages import Deps, build, protocol_factory
from fastws.store.flags import FlagRows
from fastws.store.pool import Database
from tests.identity.desk import Desk

LISTED = "https://degenduel.me"
FOREIGN = "https://evil.example"
SERVICE_KEY = "a key of the publishing service, 32 bytes or more"
DEV_SECRET = "the development secret"


class Site:
    """What the routes are given, and a client of them."""

    def __init__(self, database: Database, **options: Any) -> None:
        auth = {
            "service_keys": ["another key of another service, long", SERVICE_KEY],
            "dev_login_secret": DEV_SECRET,
            "origins": [LISTED],
            "requests_per_minute": 10_000,
        } | options.pop("auth", {})
        self.database = database
        self.desk = Desk(database, **auth)
        self.address, self.secure, self.proxied_host = "127.0.0.1", False, ""
        self.system: dict[str, Any] = {
            "status": "online",
            "message": "Server is operating normally",
        }
        self.why_not = {"live": "", "ready": "", "started": ""}
        self.published: list[tuple[str, str, Any]] = []
        self.flags = Flags(database, FlagRows(database), "test")
        self.rollout = Rollout()
        self.reports: list[tuple[Any, ...]] = []
        self.now = 100.0
        self.deps = msgspec.structs.replace(self._deps(), **options)
        self.url = ""
        self.client: ClientSession

    def _deps(self) -> Deps:
        return Deps(
            auth=self.desk.auth,
            development=True,
            authority=self.desk.authority,
            origins=OriginRule(self.desk.auth.origins),
            peer_of=self._peer_of,
            publish=self._publish,
            report=self._report,
            flags=self.flags,
            rollout=self.rollout,
            status=lambda: self.system,
            maintenance=lambda: {"mode": False, "message": None, "updated_at": None},
            metrics=lambda: b"fastws_connections 0\n",
            live=lambda: self.why_not["live"],
            ready=lambda: self.why_not["ready"],
            started=lambda: self.why_not["started"],
            clock=lambda: self.now,
        )

    def _peer_of(self, request: web.BaseRequest) -> Peer:
        host = self.proxied_host or request.headers.get("Host", "")
        return Peer(address=self.address, secure=self.secure, host=host)

    async def _publish(self, channel: str, type: str, data: Any) -> dict[str, Any]:
        if channel.endswith("/unknown"):
            raise WireError(Code.UNKNOWN_CHANNEL, f"Unknown channel: {channel}")
        if channel.endswith("/away"):
            raise Unavailable("the broker is away: inner text")
        if channel.endswith("/broken"):
            raise RuntimeError("inner text")
        self.published.append((channel, type, data))
        return {"epoch": 1, "offset": len(self.published)}

    def _report(self, *said: Any) -> str:
        self.reports.append(said)
        return "closed"

    # ── asking ──────────────────────────────────────────────────────────────────────────

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.client.get(self.url + path, **options) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        async with self.client.post(self.url + path, json=body, **options) as answer:
            return answer.status, await answer.json()

    async def raw(self, data: bytes) -> bytes:
        """Everything that is answered to some bytes."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@asynccontextmanager
async def served(site: Site, app: web.Application | None = None) -> AsyncIterator[Site]:
    """The site listening on a port of its own."""
    runner = web.AppRunner(build(site.deps) if app is None else app)
    await runner.setup()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol_factory(runner), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    site.url = f"http://127.0.0.1:{port}"
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            site.client = client
            yield site
    finally:
        server.close()
        await runner.cleanup()


def stranger() -> ClientSession:
    """Another client, that keeps no cookies."""
    return ClientSession(cookie_jar=DummyCookieJar())


WEB = Path(__file__).parents[2] / "fastws" / "web"
