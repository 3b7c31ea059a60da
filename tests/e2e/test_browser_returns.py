"""The browser's client on the real server when that ends, switches it off, or its token ends."""

from __future__ import annotations

import json

import pytest
import websockets

from bench.process import ServerProcess
from fastws.server.demo import ADMIN
from tests.browser import opened
from tests.e2e.test_browser_client import LIVE, PAST, START, Witness, addresses, agree

pytestmark = pytest.mark.browser

WITH_OPTIONS = START.replace("{ auth: 'none' }", "options").replace(
    "[rows, token]", "[rows, token, options]"
)
LOGIN = """([secret, wallet]) => fetch('/api/auth/dev-login', {
  method: 'POST', headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ secret, wallet_address: wallet }),
}).then((answer) => answer.status)"""


async def switch(server: ServerProcess, *, enabled: bool) -> None:
    """Turn the kill switch of token-data as an administrator does."""
    url = server.url.replace("http", "ws", 1) + "/api/v69/ws/admin"
    headers = {"Authorization": f"Bearer {server.token(ADMIN)}"}
    async with websockets.connect(url, additional_headers=headers) as ws:
        asked = {"type": "set_endpoint", "name": "token-data", "enabled": enabled}
        await ws.send(json.dumps(asked))
        while json.loads(await ws.recv())["type"] != "endpoint_set":
            pass


async def test_after_a_kill_it_holds_what_the_new_server_holds() -> None:
    with ServerProcess("--demo", PROFILE="") as first:
        rows = await addresses(first)
        async with opened(first.url + "/") as (tab, _):
            await tab.evaluate(START, [rows, ""])
            await tab.wait_for_function(LIVE)
            first.process.kill()
            first.process.wait()
            await tab.wait_for_function("() => client.state.name === 'waiting'")
            with ServerProcess("--demo", "--port", str(first.port), PROFILE="") as second:
                await tab.evaluate("() => { for (const tick in seen) delete seen[tick]; }")
                await tab.wait_for_function(LIVE, timeout=60_000)
                async with Witness(second, rows) as witness:
                    tick: int = await tab.evaluate("table.copy.tick")
                    await tab.wait_for_function(PAST, arg=tick + 10)
                    assert await tab.evaluate("table.recovered") is False
                    await agree(tab, witness, 3)
                    assert await tab.evaluate("table.repairs") == 0


async def test_a_switched_off_endpoint_is_left_and_returned_to() -> None:
    with ServerProcess("--demo", PROFILE="") as server:
        rows = await addresses(server)
        older = server.url.replace("http", "ws", 1) + "/api/v69/ws/test"
        options = {"auth": "none", "olderUrl": older, "returnAfterMs": 3000}
        async with opened(server.url + "/") as (tab, _):
            await tab.evaluate(WITH_OPTIONS, [rows, "", options])
            await tab.wait_for_function(LIVE)
            await switch(server, enabled=False)
            await tab.wait_for_function("() => client.state.older && client.state.name === 'live'")
            await switch(server, enabled=True)
            await tab.wait_for_function("() => !client.state.older && client.state.name === 'live'")
            async with Witness(server, rows) as witness:
                tick: int = await tab.evaluate("table.copy.tick")
                await tab.wait_for_function(PAST, arg=tick + 10)
                await agree(tab, witness, 3)


async def test_a_token_that_ends_is_replaced_and_nothing_is_lost() -> None:
    with ServerProcess("--demo", PROFILE="", AUTH_TOKEN_SECONDS="4") as server:
        rows = await addresses(server)
        secret = (server.data_dir / "dev_secret").read_text().strip()
        async with opened(server.url + "/") as (tab, _):
            assert await tab.evaluate(LOGIN, [secret, "BrowserWa11et"]) == 200
            await tab.evaluate(WITH_OPTIONS, [rows, None, {"auth": "cookie"}])
            await tab.wait_for_function(LIVE)
            begun: int = await tab.evaluate("table.copy.tick")
            # ten ticks a second: three lives of a token
            await tab.wait_for_function(PAST, arg=begun + 120, timeout=60_000)
            async with Witness(server, rows) as witness:
                tick: int = await tab.evaluate("table.copy.tick")
                await tab.wait_for_function(PAST, arg=tick + 10)
                assert await tab.evaluate("client.state.user.wallet_address") == "BrowserWa11et"
                await agree(tab, witness, 3)
                assert await tab.evaluate("table.repairs") == 0
