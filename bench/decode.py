"""Decoding in JavaScript, in Node.js and in Chromium: frames of 400 changed rows, binary against
columnar JSON. A sixteenth of the binary frames have a checksum, which is compared.

python -m bench decode
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.test_table import Market
from fastws._core.follower import Follower
from fastws._core.view import View

TICKS = 200


def run() -> None:
    market = Market(0.001)
    view = View(market.table)
    follower = Follower(view, 1, "tokens")
    frames = []
    while (frame := follower.flush(0.0)) is not None:
        frames.append(frame.hex())
    pages, columnar = len(frames), []
    for _ in range(TICKS):
        since = market.table.tick
        market.tick()
        frame = follower.flush(0.0)
        assert frame is not None
        frames.append(frame.hex())
        columnar.append(_columns(market, since))
    given = {"told": view.describe(), "pages": pages, "frames": frames, "columnar": columnar}
    if node := shutil.which("node"):
        _in_node(node, given)
    if chromium := shutil.which("chromium"):
        asyncio.run(_in_browser(chromium, given))


def _in_node(node: str, given: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.json"
        path.write_text(json.dumps(given))
        script = Path(__file__).with_suffix(".mjs")
        subprocess.run([node, str(script), str(path)], check=True)


async def _in_browser(chromium: str, given: dict[str, Any]) -> None:
    from aiohttp import web
    from playwright.async_api import async_playwright

    root = Path(__file__).parents[1]
    app = web.Application()
    app.router.add_static("/bench", root / "bench")
    app.router.add_static("/web", root / "fastws" / "web")
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with async_playwright() as play:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = await play.chromium.launch(executable_path=chromium, args=flags)
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/web/icon.svg")
        script = """async (given) =>
            (await import('/bench/decode_page.mjs')).measure(given, '/web/tables.js')"""
        found = await page.evaluate(script, given)
        await browser.close()
    await runner.cleanup()
    (ours, best), (theirs, their_best) = found["binary"], found["columnar"]
    print(
        f"Chromium: binary {ours:.1f} ns a row (least {best:.1f}), columnar JSON {theirs:.1f}"
        f" (least {their_best:.1f}): {theirs / ours:.1f} times as long"
    )


def _columns(market: Market, since: int) -> dict[str, list[float]]:
    """The rows that changed, as a list for each column: numbers as JSON writes them."""
    table = market.table
    columns: dict[str, list[float]] = {"id": [], "price": [], "change": [], "volume": []}
    numbers = table.rows()
    for key in table.changed(since):
        row = table.get(key)
        assert row is not None
        columns["id"].append(numbers[key])
        for name in ("price", "change", "volume"):
            mantissa, exponent = row[name]
            columns[name].append(float(f"{mantissa}e{exponent}"))
    return columns
