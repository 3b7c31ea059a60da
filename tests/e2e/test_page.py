"""The live page in a real browser, from a real server."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from bench.process import ServerProcess
from tests.browser import opened, reads
from tests.programs import program

pytestmark = pytest.mark.browser

LIVE = "#link[data-state=live]"
MOVED = (
    "before => [...document.querySelectorAll('#rows .price')]"
    ".some((cell, at) => cell.textContent !== before[at])"
)


@pytest.fixture(autouse=True, scope="module")
def browser() -> str:
    """Before any server is started for nothing."""
    return program("chromium")


async def test_the_page_draws_the_live_market_and_its_prices_move(demo: ServerProcess) -> None:
    async with opened(demo.url + "/") as (page, problems):
        await page.wait_for_selector(LIVE)
        await page.wait_for_selector("#rows tr[data-address]")
        tokens = int((await page.text_content("#count") or "").replace(",", ""))
        assert tokens >= 2000
        assert await page.get_attribute("#table", "aria-rowcount") == str(tokens + 1)
        assert await page.locator("#rows tr[data-address]").count() < 60, "rows in view only"
        for _ in range(3):
            before = await page.locator("#rows .price").all_text_contents()
            await page.wait_for_function(MOVED, arg=before)
        await reads(page, "#latency", re.compile(r"\d ms"))
        await reads(page, "#platform", "online")
        await reads(page, "#updates", re.compile("[1-9]"))

        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await page.wait_for_selector(f"tr[aria-rowindex='{tokens + 1}']")
        await page.fill("#filter", "usdc")
        await reads(page, "#found", re.compile(r"^\d+ found$"))
        assert "USDC" in await page.locator("#rows b").all_text_contents()
        assert problems == []


async def test_a_token_of_the_server_signs_the_page_in(demo: ServerProcess) -> None:
    wallet = "PageWa11et111111111111111111111111111111111"
    async with opened(demo.url + "/") as (page, problems):
        await page.wait_for_selector(LIVE)
        await page.click("#whose")
        await page.fill("#token", demo.token(wallet))
        await page.keyboard.press("Enter")
        await reads(page, "#whose", "Page…1111 · user")
        await page.wait_for_selector(LIVE)
        assert problems == []


async def test_a_token_the_server_refuses_is_said(demo: ServerProcess) -> None:
    async with opened(demo.url + "/") as (page, problems):
        await page.wait_for_selector(LIVE)
        await page.click("#whose")
        await page.fill("#token", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl")
        await page.keyboard.press("Enter")
        await reads(page, "#notice", "The token was refused")
        await page.wait_for_selector(LIVE)
        assert problems == []


async def test_the_page_comes_back_when_the_server_was_killed(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data")}
    with ServerProcess("--demo", **settings) as first:
        async with opened(first.url + "/") as (page, problems):
            await page.wait_for_selector(LIVE)
            await page.wait_for_selector("#rows .price")
            first.process.send_signal(signal.SIGKILL)
            await page.wait_for_selector("#link[data-state=waiting]")
            assert await page.is_visible("#again")
            with ServerProcess("--demo", "--port", str(first.port), **settings):
                await page.wait_for_selector(LIVE, timeout=60_000)
                before = await page.locator("#rows .price").all_text_contents()
                await page.wait_for_function(MOVED, arg=before)
            # The browser itself writes each refused attempt to the console; nothing else may be.
            assert [text for text in problems if "ERR_CONNECTION_REFUSED" not in text] == []
