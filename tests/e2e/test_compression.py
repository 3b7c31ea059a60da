"""Lists over a real server, compressed for those who can and plain for those who cannot."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import orjson
from websockets.asyncio.client import connect

from bench.process import ServerProcess

LISTS = ("token_update", "market_update")


async def lists(server: ServerProcess, count: int, **options: Any) -> list[int]:
    """The lengths of the first lists of a client."""
    url = server.url.replace("http", "ws") + "/api/v69/ws/token-data"
    found = []
    async with connect(url, max_size=1 << 20, **options) as ws, asyncio.timeout(60):
        while len(found) < count:
            frame = orjson.loads(await ws.recv())
            if frame["type"] in LISTS:
                found.append(len(frame["data"]))
    return found


async def figures(server: ServerProcess) -> dict[str, float]:
    async with aiohttp.ClientSession() as http, http.get(server.url + "/metrics") as answer:
        text = await answer.text()
    found = re.findall(r"^fastws_(deflate_\w+?)_total(?:\{form=\"(\w+)\"\})? (\S+)$", text, re.M)
    return {name + form: float(value) for name, form, value in found}


async def test_lists_are_compressed_once_and_read_by_all(demo: ServerProcess) -> None:
    before = await figures(demo)
    clients = [lists(demo, 3) for _ in range(10)]
    for sizes in await asyncio.gather(*clients, lists(demo, 3, compression=None)):
        assert min(sizes) >= 2000
    after = await figures(demo)
    gained = {name: after[name] - before[name] for name in after}
    assert gained["deflate_framescompressed"] >= 10 * 3
    assert gained["deflate_compressions"] < gained["deflate_framescompressed"] / 2
    assert gained["deflate_saved_bytes"] > 10 * 3 * 500_000
