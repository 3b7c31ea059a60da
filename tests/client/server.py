"""A small server that speaks the protocol and can be told to misbehave."""

from __future__ import annotations

import base64
import json
import time
from types import TracebackType
from typing import Any, Self

from aiohttp import web

SECRET = "dev-secret-of-the-fake-server-0123456789"
COOKIE = "the-session-cookie"


def make_token(expires: float | None = None, **claims: Any) -> str:
    """Looks like a JWT; the fake server believes it by comparing."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = time.time()
    body = {"aud": "ws", "wallet_address": "W", "iat": now, "exp": expires or now + 3600, **claims}
    return f"{part({'alg': 'HS256'})}.{part(body)}.c2lnbmF0dXJl"


class FakeServer:
    """``async with FakeServer() as server``: port, streams, and everything it was sent."""

    def __init__(self, *, development: bool = True, reads: tuple[str, ...] = ()) -> None:
        self.development = development
        self.reads = reads or ("header", "subprotocol", "query")
        self.demands: tuple[str, ...] = ("monitor",)
        self.token = make_token()
        self.epoch = 7
        self.streams: dict[str, list[dict[str, Any]]] = {"system.status": []}
        self.automatic: list[str] = ["system.status"]
        self.sockets: list[web.WebSocketResponse] = []
        self.following: dict[web.WebSocketResponse, set[str]] = {}
        self.received: list[dict[str, Any]] = []
        self.targets: list[str] = []
        self.refuse: int | None = None
        self.silent: set[str] = set()
        self.swallow_offsets: set[int] = set()
        self.token_status = 200
        self.tokens_given = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/auth/dev-login", self._login)
        app.router.add_get("/api/auth/token", self._token)
        app.router.add_get("/api/v69/ws/{name}", self._socket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, name: str = "monitor") -> str:
        return f"ws://127.0.0.1:{self.port}/api/v69/ws/{name}"

    # ── what a test makes it do ─────────────────────────────────────────────────────────

    async def publish(self, channel: str = "system.status", count: int = 1) -> None:
        for _ in range(count):
            ring = self.streams[channel]
            offset = len(ring) + 1
            ring.append({"type": "news", "channel": channel, "offset": offset})
            if offset in self.swallow_offsets:
                continue
            for socket, channels in self.following.items():
                if channel in channels:
                    await socket.send_json(ring[-1])

    async def say(self, **frame: Any) -> None:
        for socket in self.sockets:
            await socket.send_json(frame)

    async def close_all(self, code: int, reason: str = "") -> None:
        for socket in list(self.sockets):
            await socket.close(code=code, message=reason.encode())

    def drop_all(self) -> None:
        for socket in list(self.sockets):
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()

    # ── routes ──────────────────────────────────────────────────────────────────────────

    async def _login(self, request: web.Request) -> web.Response:
        if not self.development:
            return web.json_response({"error": "Not found"}, status=404)
        if (await request.json())["secret"] != SECRET:
            return web.json_response({"error": "Invalid secret"}, status=401)
        answer = web.json_response({"verified": True})
        answer.set_cookie("session", COOKIE, httponly=True)
        return answer

    async def _token(self, request: web.Request) -> web.Response:
        if self.token_status != 200:
            return web.Response(status=self.token_status, text="<html>")
        if request.cookies.get("session") != COOKIE:
            return web.json_response({"error": "No session token provided"}, status=401)
        self.tokens_given += 1
        return web.json_response({"token": self.token, "expiresIn": 3600})

    def _credential(self, request: web.Request) -> str | None:
        offered = _offered(request)
        found = {
            "header": request.headers.get("Authorization", "").removeprefix("Bearer ") or None,
            "subprotocol": next((x for x in offered if x.count(".") == 2), None),
            "query": request.query.get("token"),
        }
        return next((found[name] for name in self.reads if found[name]), None)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse is not None:
            return web.Response(status=self.refuse)
        self.targets.append(request.path_qs)
        name = request.match_info["name"]
        socket = web.WebSocketResponse(protocols=_offered(request))
        await socket.prepare(request)
        accepted = self._credential(request) == self.token
        if name in self.demands and not accepted:
            text = "Authentication required"
            await socket.send_json({"type": "error", "code": "UNAUTHORIZED", "message": text})
            await socket.close(code=4001, message=text.encode())
            return socket
        self.sockets.append(socket)
        self.following[socket] = set()
        try:
            await self._open(socket, name, accepted)
            async for message in socket:
                await self._answer(socket, message)
        finally:
            self.sockets.remove(socket)
            del self.following[socket]
        return socket

    async def _open(self, socket: web.WebSocketResponse, name: str, accepted: bool) -> None:
        await socket.send_json({"type": "welcome", "message": name})
        for channel in self.automatic:
            await self._confirm(socket, channel)
        user = {"wallet_address": "W", "role": "user"} if accepted else None
        established = {"type": "connection_established", "connectionId": "c", "user": user}
        await socket.send_json({**established, "authenticated": accepted})

    async def _confirm(
        self,
        socket: web.WebSocketResponse,
        channel: str,
        since: dict[str, int] | None = None,
        **fields: Any,
    ) -> None:
        ring = self.streams[channel]
        place = {"kind": "stream", "epoch": self.epoch, "offset": len(ring)}
        missed: list[dict[str, Any]] = []
        if since is not None:
            fields["recovered"] = since["epoch"] == self.epoch
            missed = ring[since["offset"] :] if fields["recovered"] else []
        await socket.send_json(
            {"type": "subscription_confirmed", "channel": channel, **place, **fields}
        )
        for frame in missed:
            await socket.send_json(frame)
        self.following[socket].add(channel)

    async def _answer(self, socket: web.WebSocketResponse, message: Any) -> None:
        try:
            asked = json.loads(message.data)
        except ValueError:
            await socket.close(code=1003, message=b"Invalid message format")
            return
        self.received.append(asked)
        type_, echo = asked["type"], {"id": asked["id"]} if "id" in asked else {}
        if type_ in self.silent:
            return
        match type_:
            case "subscribe" if asked["channel"] in self.streams:
                await self._confirm(socket, asked["channel"], asked.get("since"), **echo)
            case "subscribe":
                text = f"Unknown channel: {asked['channel']}"
                error = {"type": "error", "code": "UNKNOWN_CHANNEL", "message": text}
                await socket.send_json(error | echo)
            case "unsubscribe":
                self.following[socket].discard(asked["channel"])
                confirmed = {"type": "unsubscription_confirmed", "channel": asked["channel"]}
                await socket.send_json(confirmed | echo)
            case "ping":
                await socket.send_json({"type": "pong", "timestamp": asked.get("timestamp")} | echo)
            case "heartbeat":
                await socket.send_json({"type": "heartbeat_ack"} | echo)
            case "get_system_status":
                data = {"status": "online", "message": "Server is operating normally"}
                for name in ("SERVER_STATUS_UPDATE", "system_status"):
                    await socket.send_json({"type": name, "data": data} | echo)
            case "limits":
                await socket.send_json({"type": "limits", "messages": {"limit": 120}} | echo)
            case "refresh":
                await socket.send_json({"type": "token_refreshed", "expires_at": None} | echo)
            case _:
                text = f"Unknown message type: {type_}"
                error = {"type": "error", "code": "UNKNOWN_MESSAGE_TYPE", "message": text}
                await socket.send_json(error | echo)


def _offered(request: web.Request) -> list[str]:
    text = request.headers.get("Sec-WebSocket-Protocol", "")
    return [item.strip() for item in text.split(",") if item]
