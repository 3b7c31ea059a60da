"""Price alerts end to end: a real server, real sockets, a real database, and a restart."""

from __future__ import annotations

from decimal import Decimal

import websockets

from fastws.domain.market import TokenPatch
from fastws.server import Server, demo
from tests.server.conftest import bearer, place, receive, say, serving, token_of, until


async def publish(server: Server, price: str) -> None:
    """A price of the market; sealed by the running hub."""
    patch = TokenPatch(address="AlertMint", symbol="ALERT", price=Decimal(price))
    server.rooms.market.publish([patch])
    tick = server.rooms.market.table.tick
    await until(lambda: server.rooms.market.table.tick > tick)


async def test_an_alert_is_pushed_once_and_kept_over_a_restart(fresh_url: str) -> None:
    label = f"user.{demo.USER}.alerts"
    async with serving(fresh_url) as server:
        await publish(server, "100")
        token = await token_of(server)
        async with websockets.connect(place(server, "token-data"), **bearer(token)) as ws:
            await say(ws, "subscribe", "subscription_confirmed", channel=label)
            ask = {"symbol": "ALERT", "condition": "above"}
            first = await say(ws, "set_price_alert", "price_alert_set", price="101.5", **ask)
            second = await say(ws, "set_price_alert", "price_alert_set", price="103", **ask)
            await publish(server, "102")
            told = await receive(ws, "price_alert")
            assert told["alert_id"] == first["alert"]["alert_id"]
            assert (told["price"], told["fired_price"]) == ("101.5", "102")
    async with serving(fresh_url) as server:
        token = await token_of(server)
        async with websockets.connect(place(server, "token-data"), **bearer(token)) as ws:
            await say(ws, "subscribe", "subscription_confirmed", channel=label)
            await publish(server, "104")
            told = await receive(ws, "price_alert")
            assert told["alert_id"] == second["alert"]["alert_id"]
            kept = await say(ws, "get_price_alerts", "price_alerts", fired=True)
            assert [alert["fired_price"] for alert in kept["alerts"]] == ["104", "102"]
