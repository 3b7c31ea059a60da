"""SkyDuel on the real server, in two browsers: a match from the lobby to its result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from bench.process import ServerProcess
from tests.browser import opened
from tests.e2e.test_browser_returns import LOGIN

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.browser

ANNA, BERT = "AnnaPi1ot".ljust(43, "1"), "BertPi1ot".ljust(43, "1")


@asynccontextmanager
async def signed_in(demo: ServerProcess, wallet: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """The page of somebody who has logged in."""
    secret = (demo.data_dir / "dev_secret").read_text().strip()
    async with opened(demo.url + "/skyduel") as (page, problems):
        assert await page.evaluate(LOGIN, [secret, wallet]) == 200
        await page.reload()
        await until(page, "skyduel.client.state.user?.wallet_address", lambda seen: seen == wallet)
        yield page, problems


async def until(page: Page, expression: str, true: Callable[[Any], Any], seconds: int = 40) -> Any:
    """What an expression is on the page, once that is right; its policy forbids to wait there."""
    async with asyncio.timeout(seconds):
        while not true(seen := await page.evaluate(expression)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return seen


async def short_match(demo: ServerProcess, wallet: str) -> int:
    """A match of ten seconds in which somebody has the first seat; his connection is lost."""
    url = demo.url.replace("http", "ws", 1) + "/api/v69/ws/skyduel"
    headers = {"Authorization": f"Bearer {demo.token(wallet)}"}
    async with websockets.connect(url, additional_headers=headers) as ws:
        asked = {"type": "create_match", "seconds": 10, "max_players": 2}
        await ws.send(json.dumps(asked))
        while (said := json.loads(await ws.recv()))["type"] != "match_joined":
            assert said["type"] != "error", said
        found: int = said["match"]["match_id"]
        return found


async def test_two_pages_play_a_match_to_its_end(demo: ServerProcess) -> None:
    match = await short_match(demo, ANNA)
    async with (
        signed_in(demo, ANNA) as (anna, first_problems),
        signed_in(demo, BERT) as (bert, second_problems),
    ):
        await until(anna, "skyduel.seat", lambda seat: seat == 0)  # the seat was kept for her
        await bert.fill("#match", str(match))
        await bert.click("#join button")
        await until(bert, "skyduel.seat", lambda seat: seat == 1)
        for page in (anna, bert):
            await page.click("#ready")
        for page in (anna, bert):
            await until(page, "skyduel.status", lambda status: status == "live")
            await page.keyboard.down("ArrowUp")
            await page.keyboard.down("ArrowLeft")
            await page.keyboard.down("Space")
        shots = await until(anna, "skyduel.scene.shots.length", lambda count: count >= 2)
        assert shots >= 2
        moved = await until(bert, "skyduel.step", lambda step: step > 90)
        assert moved > 90
        for page in (anna, bert):
            await until(page, "skyduel.status", lambda status: status == "finished")
            await until(page, "skyduel.match.result !== null", bool)
        results = [
            await page.evaluate("JSON.stringify(skyduel.match.result.results)")
            for page in (anna, bert)
        ]
        assert results[0] == results[1]
        told = json.loads(results[0])
        assert {one["wallet"] for one in told} == {ANNA, BERT}
        assert not any(one["left"] for one in told)
        for page in (anna, bert):
            assert await page.evaluate("skyduel.frames") > 200
            assert await page.evaluate("skyduel.step") == 300
        assert first_problems == second_problems == []


async def test_a_guest_watches_bots(demo: ServerProcess) -> None:
    async with opened(demo.url + "/skyduel") as (page, problems):
        await page.click("#matches tbody button:visible")
        await until(page, "skyduel.status", lambda status: status == "live")
        began = await until(page, "skyduel.step", lambda step: step > 0)
        await until(page, "skyduel.step", lambda step: step > began + 60)
        planes = await until(page, "skyduel.scene.planes.length", lambda count: count >= 2)
        assert planes >= 2
        assert await page.evaluate("skyduel.seat") is None
        assert problems == []
