"""A page in Debian's Chromium, and everything it complained about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.programs import program

if TYPE_CHECKING:
    from playwright.async_api import Page

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


async def reads(page: Page, selector: str, text: str | re.Pattern[str]) -> None:
    """Wait until an element reads ``text``.

    Not `wait_for_function` with an expression: that is an `eval`, which the page's policy forbids.
    """
    from playwright.async_api import expect

    await expect(page.locator(selector)).to_have_text(text, timeout=20_000)


@asynccontextmanager
async def opened(url: str, **context: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """The page at ``url``, and its errors: scripts', the console's, the content policy's."""
    chromium = program("chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=FLAGS)
        page = await browser.new_page(**context)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda line: problems.append(line.text) if line.type == "error" else None
        )
        await page.goto(url)
        try:
            yield page, problems
        finally:
            await browser.close()
