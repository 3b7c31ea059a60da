"""Tables as a client of another library meets them: two formats, rows, repair, resume."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import websockets

from bench.process import ServerProcess
from fastws.client.followed import Followed

CHANNEL = "public.tokens"


class Page:
    """A client that keeps its copy over connections."""

    def __init__(self, server: ServerProcess) -> None:
        self.url = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data"
        self.followed = Followed()
        self.confirmation: dict[str, Any] = {}

    async def connect(self, **asked: Any) -> None:
        self.confirmation = {}
        self.ws = await websockets.connect(self.url, max_size=2**20)
        self.rows = asked.get("rows")
        await self.say(type="subscribe", channel=CHANNEL, id=1, **asked)
        await self.until(lambda: self.confirmation.get("id") == 1)

    async def say(self, **message: Any) -> None:
        await self.ws.send(json.dumps(message))

    async def until(self, condition: Any) -> None:
        """Read until it holds; every checksum on the way agrees."""
        async with asyncio.timeout(20):
            while not condition():
                self.take(await self.ws.recv())
                assert not self.followed.resync

    def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            assert list(self.followed.binary(message))
            return
        said = json.loads(message)
        if said["type"] == "table":
            self.followed.json(said)
        elif said["type"] == "subscription_confirmed" and "columns" in said:
            self.confirmation = said
            self.followed.confirmed(said, self.rows)
        elif said["type"] == "error":
            raise AssertionError(said)

    @property
    def whole(self) -> bool:
        copy = self.followed[CHANNEL]
        return bool(copy.tick) and not copy.partial

    def tick(self) -> int:
        return self.followed[CHANNEL].tick


async def test_two_formats_tell_the_same_of_every_token(demo: ServerProcess) -> None:
    binary, text = Page(demo), Page(demo)
    await binary.connect(format="binary", accept=["zstd"])
    await text.connect(format="json")
    for page in (binary, text):
        await page.until(lambda page=page: page.whole)
    # Both read on until they stand at one tick; what they hold there is the same.
    async with asyncio.timeout(20):
        while binary.tick() != text.tick():
            behind = min(binary, text, key=lambda page: page.tick())
            behind.take(await behind.ws.recv())
    assert len(binary.followed[CHANNEL].rows) >= 2000
    assert binary.followed[CHANNEL].by_key() == text.followed[CHANNEL].by_key()
    for page in (binary, text):
        await page.ws.close()


async def test_rows_by_symbol_repair_and_resume(demo: ServerProcess) -> None:
    page = Page(demo)
    await page.connect(format="binary", rows=["SOL", "no such token"])
    assert page.confirmation["unknown"] == ["no such token"]
    await page.until(lambda: page.whole)
    ((address, row),) = page.followed[CHANNEL].by_key().items()
    assert row["symbol"] == "SOL"
    before = page.tick()
    await page.say(type="resync", channel=CHANNEL)
    await page.until(lambda: page.tick() > before)
    await page.ws.close()
    held = page.tick()
    page.followed.disconnected()
    since = {"epoch": page.followed[CHANNEL].epoch, "tick": held}
    await page.connect(format="binary", rows=[address], since=since, new=[])
    assert page.confirmation["recovered"] is True
    await page.until(lambda: page.tick() > held)
    assert page.followed[CHANNEL].by_key()[address]["symbol"] == "SOL"
    await page.ws.close()


async def test_a_paused_page_hears_nothing_and_goes_on_whole(demo: ServerProcess) -> None:
    page = Page(demo)
    await page.connect(format="json", rows=["SOL"], max_rate_ms=1000)
    assert page.confirmation["limits"]["max_rate_ms"] == 1600
    await page.until(lambda: page.whole)
    await page.say(type="pause", channel=CHANNEL)
    held = page.tick()
    await page.say(type="resume", channel=CHANNEL)
    await page.until(lambda: page.tick() > held)
    await page.ws.close()
