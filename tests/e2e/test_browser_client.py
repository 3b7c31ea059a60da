"""The browser's client on the real server: beside a client of another library, at each tick that
both were told, it holds the same rows by their checksum."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bench.process import ServerProcess
from tests.browser import opened
from tests.e2e.test_tables import CHANNEL, Page
from tests.web.live import tunnel

if TYPE_CHECKING:
    from playwright.async_api import Page as Tab

pytestmark = pytest.mark.browser

ROWS = 50

START = """async ([rows, token]) => {
  const { Client } = await import('/static/client.js');
  const url = `ws://${location.host}/api/v69/ws/token-data?automatic=false`;
  const client = (window.client = new Client(url, { auth: 'none' }));
  const seen = (window.seen = {}); // checksum by tick
  const types = (window.types = {});
  client.on('message', ({ type }) => (types[type] = (types[type] ?? 0) + 1));
  window.table = client.table('public.tokens', { rows }, {
    rows: (ids, copy) => { if (!copy.partial && !copy.lost) seen[copy.tick] = copy.checksum(); },
  });
  client.start(token ?? undefined);
}"""
LIVE = "() => window.client?.state.name === 'live' && window.table.copy && !table.copy.partial"
AWAY = "() => client.state.name === 'waiting'"
PAST = "(tick) => !table.copy.lost && table.copy.tick > tick"


async def addresses(server: ServerProcess) -> list[str]:
    """Some tokens of the market, as one who has just come is told them."""
    page = Page(server)
    await page.connect(format="json")
    await page.until(lambda: page.whole)
    await page.ws.close()
    return sorted(page.followed[CHANNEL].by_key())[:ROWS]


class Witness:
    """Follows the same rows through another library and keeps its checksum of each tick."""

    def __init__(self, server: ServerProcess, rows: list[str]) -> None:
        self.page = Page(server)
        self.rows = rows
        self.seen: dict[int, int] = {}

    async def __aenter__(self) -> Witness:
        await self.page.connect(format="json", rows=self.rows)
        await self.page.until(self._noted)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.page.ws.close()

    async def until(self, tick: int) -> None:
        await self.page.until(lambda: self._noted() and self.page.tick() >= tick)

    def _noted(self) -> bool:
        if self.page.whole:
            self.seen[self.page.tick()] = self.page.followed[CHANNEL].checksum()
        return self.page.whole


async def agree(tab: Tab, witness: Witness, times: int) -> None:
    """Compare what both held at every tick that both were told, until those are as many.

    Either may be told fewer ticks than there were: a busy reader gets several in one frame."""
    async with asyncio.timeout(60):
        while True:
            tick: int = await tab.evaluate("table.copy.tick")
            await witness.until(tick)
            seen: dict[str, int] = await tab.evaluate("seen")
            common = {int(one) for one in seen} & set(witness.seen)
            told = {one: seen[str(one)] for one in common}
            assert told == {one: witness.seen[one] for one in common}
            if len(common) >= times:
                return
            await tab.wait_for_function(PAST, arg=tick)


async def test_it_holds_what_another_library_holds_over_a_lost_connection(
    demo: ServerProcess,
) -> None:
    rows = await addresses(demo)
    async with (
        Witness(demo, rows) as witness,
        tunnel(demo.port) as way,
        opened(f"http://127.0.0.1:{way.port}/") as (tab, _),
    ):
        await tab.evaluate(START, [rows, ""])
        await tab.wait_for_function(LIVE)
        began: int = await tab.evaluate("table.copy.tick")
        await tab.wait_for_function(PAST, arg=began + 10)
        way.cut()
        await tab.wait_for_function(AWAY)
        lost: int = await tab.evaluate("table.copy.tick")
        await witness.until(lost + 5)
        way.mend()
        await tab.wait_for_function(PAST, arg=lost + 10, timeout=60_000)
        assert await tab.evaluate("table.recovered") is True
        assert await tab.evaluate("table.repairs") == 0
        await agree(tab, witness, 10)
        types: dict[str, Any] = await tab.evaluate("types")
        assert "token_update" not in types, "it asked for no lists"


async def test_other_rows_a_hidden_tab_and_a_login(demo: ServerProcess) -> None:
    rows = await addresses(demo)
    async with opened(demo.url + "/") as (tab, problems):
        wallet = "BrowserWa11et1111111111111111111111111111111"
        await tab.evaluate(START, [rows[:10], demo.token(wallet)])
        await tab.wait_for_function(LIVE)
        assert await tab.evaluate("client.state.user.wallet_address") == wallet
        await tab.evaluate("(rows) => table.follow(rows)", rows[5:20])
        await tab.wait_for_function("() => table.copy.keys.size === 15")
        held = await tab.evaluate("[...table.copy.keys.values()].sort()")
        assert held == rows[5:20]
        await tab.evaluate("table.hide(true)")
        await tab.evaluate("table.hide(false)")
        async with Witness(demo, rows[5:20]) as witness:
            tick: int = await tab.evaluate("table.copy.tick")
            await tab.wait_for_function(PAST, arg=tick + 10)
            await agree(tab, witness, 3)
            assert problems == []


async def test_after_a_reload_and_a_wrong_cell_it_is_right_again(demo: ServerProcess) -> None:
    rows = await addresses(demo)
    async with Witness(demo, rows) as witness, opened(demo.url + "/") as (tab, _):
        await tab.evaluate(START, [rows, ""])
        await tab.wait_for_function(LIVE)
        await tab.reload()
        await tab.evaluate(START, [rows, ""])
        await tab.wait_for_function(LIVE)
        # one cell is not what the server said: the next checksum tells, the channel is made whole
        spoil = "(at) => { table.copy.numbers[at[0] * table.copy.width + at[1]] += 1; }"
        first: int = await tab.evaluate("[...table.copy.keys.keys()][0]")
        await tab.evaluate(spoil, [first, 6])
        await tab.wait_for_function("() => table.repairs === 1", timeout=60_000)
        await tab.wait_for_function(LIVE)
        await tab.evaluate("() => { for (const tick in seen) delete seen[tick]; }")
        tick: int = await tab.evaluate("table.copy.tick")
        await tab.wait_for_function(PAST, arg=tick + 10)
        await agree(tab, witness, 3)
        assert await tab.evaluate("table.repairs") == 1


async def test_an_answer_and_an_error_reach_who_asked(demo: ServerProcess) -> None:
    async with opened(demo.url + "/") as (tab, _):
        await tab.evaluate(START, [[], ""])
        await tab.wait_for_function("() => window.client?.state.name === 'live'")
        answer = await tab.evaluate("client.request({ type: 'get_token', symbol: 'SOL' })")
        assert answer["data"]["symbol"] == "SOL"
        refused = "client.request({ type: 'get_token', symbol: 'no such' }).catch((e) => e.code)"
        assert await tab.evaluate(refused) == "TOKEN_NOT_FOUND"
        ask = (
            "(names) => Promise.all(names.map("
            "(symbol) => client.request({ type: 'get_token', symbol })))"
        )
        found = await asyncio.wait_for(tab.evaluate(ask, ["SOL", "BONK"]), 20)
        assert [one["symbol"] for one in found] == ["SOL", "BONK"]
