"""The page of SkyDuel with a server that does as a test says, and a game for it to show."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from fastws._core.arena import Arena
from tests.web.site import pages_served

NUMBERS = ("x", "y", "heading", "speed", "seq")
COLUMNS = {
    "match.7": [
        *({"name": name, "kind": "decimal"} for name in NUMBERS),
        {"name": "state", "kind": "enum"},
        *({"name": name, "kind": "int"} for name in ("health", "score", "deaths")),
        {"name": "name", "kind": "text"},
    ],
    "match.7.own": [{"name": name, "kind": "int"} for name in ("ammo", "ready_at", "full_at")],
    "public.matches": [
        {"name": "mode", "kind": "text"},
        {"name": "status", "kind": "text"},
        *({"name": name, "kind": "int"} for name in ("players", "max_players", "spectators")),
        {"name": "leader", "kind": "text"},
    ],
}
LOBBY, COUNTDOWN, LIVE, FINISHED = range(4)


class Pilot:
    """One connection of the page, and the match that it is shown."""

    def __init__(self, socket: web.WebSocketResponse, *, user: bool) -> None:
        self.socket = socket
        self.user = user
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inputs: list[tuple[int, int, int, bool]] = []
        self.names = ["Ada", "Blaze"]
        self.arena = Arena(2, 5, score=1000)
        self.state = LOBBY
        self._tick = 0
        self._offset = 0

    async def send(self, **message: Any) -> None:
        await self.socket.send_json({"timestamp": "2026-01-01T00:00:00.000Z", **message})

    async def next(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The next message of this type with these fields; others are let go."""
        async with asyncio.timeout(20):
            while True:
                message = await self.heard.get()
                if message["type"] == type_ and fields.items() <= message.items():
                    return message

    async def open(self, match: dict[str, Any] | None = None) -> None:
        """What the endpoint says first."""
        user = {"wallet_address": "7Np4" * 11, "role": "user"} if self.user else None
        await self.send(type="welcome", modes=[], match=match)
        await self.send(type="connection_established", authenticated=self.user, user=user)

    async def confirm(self, channel: str) -> None:
        """Await that a table or stream is asked for, and grant it."""
        await self.next("subscribe", channel=channel)
        if channel.endswith("events"):
            kind: dict[str, Any] = {"kind": "stream", "epoch": 1, "offset": 0}
        else:
            told = {"columns": COLUMNS[channel], "common": [], "limits": {"flush_ms": 33}}
            kind = {"kind": "table", "format": "json", "epoch": 1, "channel_id": 9, **told}
        await self.send(type="subscription_confirmed", channel=channel, **kind)

    async def event(self, **fields: Any) -> None:
        self._offset += 1
        where = {"channel": "match.7.events", "offset": self._offset}
        await self.send(**where, match_id=7, step=self.arena.steps, **fields)

    async def table(self, channel: str, *rows: list[Any]) -> None:
        """A snapshot of a table: rows begin with their key."""
        self._tick += 1
        numbered = [[number, *row] for number, row in enumerate(rows)]
        frame = {"epoch": 1, "tick": self._tick, "base": 0, "snapshot": True, "rows": numbered}
        await self.send(type="table", channel=channel, **frame)

    async def show(self) -> None:
        """The state of the game as it is."""
        game = [[0, 0]] * 4 + [[self.arena.steps, 0]]
        rows: list[list[Any]] = [["game", *game, self.state, 0, 0, 0, ""]]
        for number, name in enumerate(self.names):
            x, y, heading, speed, state, health, _, score, deaths, seq = self.arena.planes_now()[
                number
            ]
            cells = [[cell, 0] for cell in (x >> 7, y >> 7, heading >> 4, speed >> 4, seq)]
            rows.append([f"p{number}", *cells, state, health, score, deaths, name])
        await self.table("match.7", *rows)

    async def fly(self, steps: int) -> None:
        """Steps of the game at its rate, with what the page sends."""
        self.state = LIVE
        for _ in range(steps):
            for seq, throttle, turn, fire in self.inputs:
                self.arena.input(0, seq, throttle, turn, fire)
            self.inputs.clear()
            self.arena.step()
            await self.show()
            await asyncio.sleep(1 / self.arena.hz)

    def take(self, data: bytes) -> None:
        kind, seq, _, throttle, turn, buttons = struct.unpack("<BIIbbB", data)
        assert kind == 0x10
        self.inputs.append((seq, throttle, turn, bool(buttons & 1)))

    def match(self, **fields: Any) -> dict[str, Any]:
        players = [
            {"player": number, "wallet": name, "name": name, "ready": True, "connected": True}
            for number, name in enumerate(self.names)
        ]
        return {"match_id": 7, "status": "lobby", "hz": 30, "players": players, **fields}


class SkySite:
    """A port with the page; `accept` gives its next connection."""

    def __init__(self) -> None:
        self.url = ""
        self._pilots: asyncio.Queue[Pilot] = asyncio.Queue()

    async def accept(self) -> Pilot:
        async with asyncio.timeout(40):
            return await self._pilots.get()

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=("fastws",))
        await answer.prepare(request)
        pilot = Pilot(answer, user="Sec-WebSocket-Protocol" in request.headers)
        await self._pilots.put(pilot)
        async for message in answer:
            if message.type is WSMsgType.TEXT:
                await pilot.heard.put(json.loads(message.data))
            elif message.type is WSMsgType.BINARY:
                pilot.take(message.data)
        return answer


@asynccontextmanager
async def sky_served() -> AsyncIterator[SkySite]:
    site = SkySite()
    async with pages_served(web.get("/api/v69/ws/skyduel", site.socket)) as url:
        site.url = f"{url}/skyduel"
        yield site
