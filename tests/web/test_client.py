"""The browser's client in a browser, on real tables: what it holds is what the server holds, to the
digit, after everything that happens to a tab."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import opened
from tests.web.live import Live, serving, tunnel

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.browser

START = """async (options) => {
  const { Client } = await import('/static/client.js');
  const client = new Client(`ws://${location.host}/api/v69/ws/token-data`, options);
  const told = { channel: [], other: [] };
  window.repairs = told;
  window.client = client;
  window.tables = {};
  for (const name of ['channel', 'other']) {
    tables[name] = client.table(name, {}, { repair: (why) => told[name].push(why) });
  }
  client.start();
}"""
AT = """([name, epoch, tick]) => {
  const copy = window.tables?.[name]?.copy;
  return copy?.epoch === epoch && !copy.lost && !copy.partial && copy.tick >= tick;
}"""
HELD = """(name) => {
  const { copy } = tables[name];
  const rows = {};
  for (const [id, key] of copy.keys) rows[key] = [id, ...copy.every.map((at) => copy.cell(id, at))];
  return { rows, checksum: copy.checksum(), epoch: copy.epoch };
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with serving(Live()) as made:
        yield made


async def same(page: Page, live: Live, name: str = "channel") -> None:
    """Wait until the page is at the table's tick; then it holds exactly the table's rows."""
    table = live.tables[name]
    await page.wait_for_function(AT, arg=[name, table.epoch, table.tick], timeout=20_000)
    held: dict[str, Any] = await page.evaluate(HELD, name)
    assert held["rows"] == live.rows(name)
    assert held["checksum"] == live.views[name].checksum
    assert held["epoch"] == table.epoch


async def test_it_holds_what_the_server_holds_also_after_a_reload(live: Live) -> None:
    async with opened(live.url) as (page, problems):
        await page.evaluate(START, {"auth": "none"})
        await same(page, live)
        await live.tick(40)
        await same(page, live)
        await page.reload()
        await live.tick(3)
        await page.evaluate(START, {"auth": "none"})
        await live.tick(20)
        await same(page, live)
        await same(page, live, "other")
        assert await page.evaluate("repairs") == {"channel": [], "other": []}
        assert problems == []


async def test_after_a_tunnel_it_gets_what_changed_and_no_snapshot(live: Live) -> None:
    async with (
        tunnel(live.port) as way,
        opened(f"http://127.0.0.1:{way.port}/empty") as (page, _),
    ):
        await page.evaluate(START, {"auth": "none"})
        await same(page, live)
        for _ in range(3):
            way.cut()
            await page.wait_for_function("() => client.state.name === 'waiting'")
            await live.tick(25)
            way.mend()
            await page.wait_for_function(
                "() => client.state.name === 'live' && tables.channel.channelId"
            )
            await live.tick(2)
            await same(page, live)
            assert await page.evaluate("tables.channel.recovered") is True
        assert await page.evaluate("tables.channel.repairs") == 0


async def test_after_a_restart_it_holds_what_the_new_server_holds() -> None:
    async with opened("about:blank") as (page, _):
        async with serving(Live()) as first:
            await page.goto(first.url)
            await page.evaluate(START, {"auth": "none"})
            await same(page, first)
            await first.tick(5)
        await page.wait_for_function("() => client.state.name !== 'live'")
        async with serving(Live(epoch=2, seed=2), first.port) as second:
            await page.wait_for_function("() => tables.channel.channelId === 20", timeout=30_000)
            assert await page.evaluate("tables.channel.recovered") is False
            await second.tick(3)
            await same(page, second)
            assert await page.evaluate("tables.channel.repairs") == 0


async def test_an_expired_token_is_replaced_and_nothing_is_lost(live: Live) -> None:
    async with opened(live.url) as (page, _):
        await page.evaluate(START, {"auth": "cookie"})
        await same(page, live)
        await live.tick(5)
        await live.visitors[0].socket.close(code=4401, message=b"Token expired")
        await page.wait_for_function("() => client.state.name !== 'live'")
        await live.tick(5)
        await page.wait_for_function("() => tables.channel.recovered === true", timeout=20_000)
        await live.tick()
        await same(page, live)
        assert live.protocols == ["fastws, a.b.1", "fastws, a.b.2"]


async def test_a_hidden_tab_is_told_less_often_and_is_right_when_it_is_seen(live: Live) -> None:
    async with opened(live.url) as (page, _):
        await page.evaluate(START, {"auth": "none"})
        await same(page, live)
        await page.evaluate(HIDE, True)
        await page.wait_for_function("() => tables.channel.copy")
        await live.tick(45)
        await page.evaluate(HIDE, False)
        rates = [said.get("max_rate_ms") for said in live.heard if said["channel"] == "channel"]
        while len(rates) < 3:
            await live.tick()
            rates = [said.get("max_rate_ms") for said in live.heard if said["channel"] == "channel"]
        assert rates == [None, 1000, None]
        await live.tick(2)
        await same(page, live)
        assert await page.evaluate("tables.channel.repairs") == 0


@pytest.mark.parametrize("name", ["channel", "other"])
async def test_a_corrupt_frame_is_found_and_its_channel_alone_made_whole(
    live: Live, name: str
) -> None:
    async with opened(live.url) as (page, _):
        await page.evaluate(START, {"auth": "none"})
        await same(page, live)
        await live.tick(3)
        live.corrupt = name
        await live.tick()
        assert live.corrupt == ""
        await live.tick(20)  # the next checksum comes within sixteen frames
        await page.wait_for_function("(name) => tables[name].repairs > 0", arg=name)
        await page.wait_for_function("(name) => !tables[name].copy.lost", arg=name)
        await live.tick(2)
        await same(page, live, "channel")
        await same(page, live, "other")
        assert [said["channel"] for said in live.heard if said["type"] == "resync"] == [name]
        repairs = await page.evaluate("repairs")
        assert [len(repairs[one]) for one in ("channel", "other")] == [
            int(name == one) for one in ("channel", "other")
        ]


async def test_a_switched_off_endpoint_is_left_for_the_older_one_and_returned_to(
    live: Live,
) -> None:
    async with opened(live.url) as (page, _):
        live.closing = (4503, "Endpoint switched off")
        older = f"ws://127.0.0.1:{live.port}/older"
        await page.evaluate(START, {"auth": "none", "olderUrl": older, "returnAfterMs": 7000})
        await page.wait_for_function("() => client.state.older && client.state.name === 'live'")
        assert await live.older.get() == {"type": "subscribe", "channel": "channel"}
        live.closing = None
        await page.wait_for_function("() => !client.state.older && client.state.name === 'live'")
        await page.wait_for_function("() => tables.channel.channelId")
        await live.tick()
        await same(page, live)


async def test_the_flag_in_storage_decides(live: Live) -> None:
    async with opened(live.url) as (page, _):
        older = f"ws://127.0.0.1:{live.port}/older"
        await page.evaluate("localStorage.setItem('use_websocket_v2', 'false')")
        await page.evaluate(START, {"auth": "none", "olderUrl": older})
        await page.wait_for_function("() => client.state.older && client.state.name === 'live'")
        assert live.visitors == []
