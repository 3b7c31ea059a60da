"""The live page in a real browser."""

from __future__ import annotations

import shutil

import pytest

from bench.process import ServerProcess

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


async def test_the_page_draws_the_live_market(demo: ServerProcess) -> None:
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        await page.goto(demo.url + "/")
        await page.wait_for_selector("#state[data-state=live]")
        await page.wait_for_function("document.querySelectorAll('#rows tr').length === 60")
        before = await page.locator("#rows .price").all_text_contents()
        await page.wait_for_function(
            "before => [...document.querySelectorAll('#rows .price')]"
            ".some((cell, at) => cell.textContent !== before[at])",
            arg=before,
        )
        await page.fill("#filter", "usdc")
        await page.wait_for_function("document.querySelectorAll('#rows tr').length < 60")
        assert problems == []
        await browser.close()
