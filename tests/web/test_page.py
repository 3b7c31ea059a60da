"""The page in a browser at moments a real server cannot be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import opened, reads
from tests.web.site import Site, served, token

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.browser

LIVE = "#link[data-state=live]"
JWT = "aaa.bbb.ccc"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with served() as made:
        yield made


async def shown(page: Page) -> list[str]:
    return await page.locator("#rows tr[data-address] b").all_text_contents()


async def test_names_are_text_whatever_they_hold(site: Site) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    site.tokens = [token(0, symbol=nasty, name='"><script>alert(2)</script>', color="red;}")]
    async with opened(site.url) as (page, problems):
        await site.accept()
        await page.wait_for_selector("#rows b")
        assert await shown(page) == [nasty]
        assert await page.locator("#rows img, #rows script").count() == 0
        assert problems == []


async def test_only_rows_in_view_are_drawn_and_followed(site: Site) -> None:
    async with opened(site.url) as (page, problems):
        visitor = await site.accept()
        first = (await visitor.next("subscribe_tokens"))["symbols"]
        assert 10 < len(first) < 60
        assert first[0] == site.tokens[0]["address"]
        assert await page.get_attribute("#table", "aria-rowcount") == "301"
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await page.wait_for_selector(f"tr[data-address='{site.tokens[-1]['address']}']")
        gone = (await visitor.next("unsubscribe_tokens"))["symbols"]
        added = (await visitor.next("subscribe_tokens"))["symbols"]
        assert gone == first
        assert added[-1] == site.tokens[-1]["address"]
        assert 10 < len(await shown(page)) < 60
        last = page.locator("#rows tr[data-address]").last
        assert await last.get_attribute("aria-rowindex") == "301"
        assert problems == []


async def test_a_price_that_moves_is_drawn_and_flashes(site: Site) -> None:
    async with opened(site.url) as (page, _):
        visitor = await site.accept()
        await page.wait_for_selector("#rows b")
        for price, flash in ((2, "up-1"), (1, "down-0"), (3, "up-1")):
            moved = {**site.tokens[0], "price": price}
            await visitor.send(type="token_data", symbol="T0", data=moved)
            await page.wait_for_selector(f"#rows .price[data-flash={flash}]")
            assert await page.locator("#rows .price").first.text_content() == f"${price}.0000"


async def test_finding_and_ordering(site: Site) -> None:
    site.tokens[7] |= {"name": "Wrapped Dog", "price": 9}
    async with opened(site.url) as (page, _):
        await site.accept()
        await page.wait_for_selector("#rows b")
        assert (await shown(page))[:2] == ["T0", "T1"]
        await page.click("[data-column=price]")
        assert (await shown(page))[0] == "T7"
        assert await page.get_attribute("th:has([data-column=price])", "aria-sort") == "descending"
        assert await page.locator("[aria-sort]").count() == 1
        await page.click("[data-column=volume]")
        await page.click("[data-column=volume]")
        assert (await shown(page))[0] == "T299"
        await page.keyboard.press("/")
        await page.keyboard.type("dog wrapped")
        await reads(page, "#found", "1 found")
        assert await shown(page) == ["T7"]
        await page.fill("#filter", "no such token")
        await page.wait_for_selector("#empty:visible")


async def test_a_session_that_ended_is_not_argued_with(site: Site) -> None:
    async with opened(site.url) as (page, _):
        visitor = await site.accept()
        await page.wait_for_selector(LIVE)
        await visitor.socket.close(code=4403, message=b"Access withdrawn")
        await page.wait_for_selector("#link[data-state=stopped]")
        assert await page.text_content("#notice") == "Access withdrawn"
        await page.click("#again")
        await site.accept()
        await page.wait_for_selector(LIVE)
        assert not await page.is_visible("#notice")


async def test_a_drained_page_comes_back_and_follows_its_rows_again(site: Site) -> None:
    async with opened(site.url) as (page, problems):
        visitor = await site.accept()
        followed = (await visitor.next("subscribe_tokens"))["symbols"]
        await visitor.send(type="drain", reconnect_after_ms=50, deadline_ms=500)
        await visitor.socket.close(code=1012, message=b"Service restart")
        visitor = await site.accept()
        assert (await visitor.next("subscribe_tokens"))["symbols"] == followed
        await page.wait_for_selector(LIVE)
        assert problems == []


async def test_a_token_goes_in_the_subprotocol_and_nowhere_else(site: Site) -> None:
    async with opened(site.url) as (page, problems):
        visitor = await site.accept()
        assert visitor.protocols == ""
        site.user = {"wallet_address": "7xKXabcdefghijk9mPq", "role": "admin"}
        await page.click("#whose")
        await page.fill("#token", JWT)
        await page.keyboard.press("Enter")
        visitor = await site.accept()
        assert visitor.protocols == f"fastws, {JWT}"
        await reads(page, "#whose", "7xKX…9mPq · admin")
        assert JWT not in await page.content()
        assert await page.input_value("#token") == ""
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
        site.user = None
        await page.click("#whose")
        await page.click("#logout")
        assert (await site.accept()).protocols == ""
        await reads(page, "#whose", "Not signed in")
        assert problems == []


async def test_a_refused_token_is_said(site: Site) -> None:
    async with opened(site.url) as (page, _):
        await site.accept()
        await page.click("#whose")
        await page.fill("#token", "not a token")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#notice:visible")
        assert "not a token" in (await page.text_content("#notice") or "")
        await page.click("#whose")
        await page.fill("#token", JWT)
        await page.keyboard.press("Enter")
        await site.accept()
        await reads(page, "#notice", "The token was refused")


async def test_an_error_is_said_and_a_limit_is_waited_for(site: Site) -> None:
    async with opened(site.url) as (page, _):
        visitor = await site.accept()
        followed = (await visitor.next("subscribe_tokens"))["symbols"]
        await visitor.send(
            type="error",
            code="RATE_LIMIT_EXCEEDED",
            message="Message rate limit exceeded",
            retry_after_ms=50,
        )
        assert (await visitor.next("subscribe_tokens"))["symbols"] == followed
        assert await page.text_content("#notice") == "Message rate limit exceeded"


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_it_fits_the_screen(site: Site, width: int) -> None:
    site.tokens[0] |= {"symbol": "ALONGSYMBOL", "name": "A very long name " * 5, "price": 1.2e-9}
    async with opened(site.url, viewport={"width": width, "height": 700}) as (page, _):
        await site.accept()
        await page.wait_for_selector("#rows b")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        cut = """[...document.querySelectorAll('#rows tr[data-address] .n')]
            .filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"""
        assert await page.evaluate(cut) == []
        heights = "[...document.querySelectorAll('tr[data-address]')].map(r => r.offsetHeight)"
        assert set(await page.evaluate(heights)) == {48}, "rows.js counts on it"


CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => {
    const [r, g, b] = parse(text).map(v => v / 255)
      .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!['rgba(0, 0, 0, 0)', 'transparent'].includes(colour)) return colour;
    }
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!text || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.textContent} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast_in_both_schemes(site: Site, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for every text on what is behind it."""
    async with opened(site.url, color_scheme=scheme) as (page, _):
        visitor = await site.accept()
        await page.wait_for_selector("#rows b")
        await page.click("#whose")
        assert await page.evaluate(CONTRAST) == []
        await visitor.socket.close(code=4403, message=b"Access withdrawn")
        await page.wait_for_selector("#link[data-state=stopped]")
        assert await page.evaluate(CONTRAST) == []


async def test_every_control_has_a_name(site: Site) -> None:
    async with opened(site.url) as (page, _):
        await site.accept()
        await page.wait_for_selector("#rows b")
        await page.click("#whose")
        names = await page.evaluate(
            """[...document.querySelectorAll('button, input, summary, table')]
                .filter(e => e.checkVisibility())
                .map(e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent)"""
        )
        assert len(names) > 8
        assert all(name.strip() for name in names)
