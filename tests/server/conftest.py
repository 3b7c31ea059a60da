"""A server in the test's own process, over a database of the test's own."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
import websockets

from fastws.config import Config
from fastws.server import Server, demo
from tests.identity.forge import SECRET

PATIENCE = 60.0
"""Seconds after which a test is stuck, not slow."""


def configured(**sections: Any) -> Config:
    """A development configuration on a free port; ``sections`` replace fields of sections."""
    tree: dict[str, Any] = {
        "environment": "test",
        "server": {"port": 0, "drain_seconds": 8.0},
        "auth": {"jwt_secret": SECRET},
        "market": {"source": "simulated", "tokens": 20, "updates_per_second": 200},
    }
    for name, value in sections.items():
        tree[name] = {**tree.get(name, {}), **value} if isinstance(value, dict) else value
    return msgspec.convert(tree, Config)


@asynccontextmanager
async def serving(url: str, **sections: Any) -> AsyncIterator[Server]:
    """A started server; stopped at the end, and the collector sees everything again."""
    server = Server(configured(**sections), url)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        gc.unfreeze()


@pytest.fixture
async def server(fresh_url: str) -> AsyncIterator[Server]:
    async with serving(fresh_url) as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def ended(descriptor: int) -> bool:
    """Whether the process of that descriptor (``os.pidfd_open``) ends."""
    readable, _, _ = select.select([descriptor], [], [], PATIENCE)
    os.close(descriptor)
    return bool(readable)


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - tasks and kernels set no event
            await asyncio.sleep(0.01)


# ── talking to it ──────────────────────────────────────────────────────────────────────


def place(server: Server, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}/api/v69/ws/{path}"


def bearer(token: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {token}"}}


async def receive(ws: websockets.ClientConnection, *types: str) -> dict[str, Any]:
    """The next frame of one of these types; others are passed over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            frame: dict[str, Any] = json.loads(await ws.recv())
            if frame["type"] in types:
                return frame


async def say(
    ws: websockets.ClientConnection, type_: str, answer: str, **fields: Any
) -> dict[str, Any]:
    """Send a message and read on to its answer."""
    await ws.send(json.dumps({"type": type_, **fields}))
    return await receive(ws, answer)


async def token_of(server: Server, wallet: str = demo.USER) -> str:
    rooms = server.rooms
    return await demo.token_for(wallet, rooms.authority, rooms.tokens)


async def status_of(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as answer:
        return answer.status
