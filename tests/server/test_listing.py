"""Whitelist, metadata and portfolio end to end: real server, sockets, database, and a restart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import websockets

from fastws.client.followed import Followed
from fastws.server import demo
from fastws.store.holdings import HoldingRows
from tests.server.conftest import bearer, place, receive, say, serving, token_of, until

MINT = "So11111111111111111111111111111111111111112"


async def test_what_an_administrator_lists_everybody_sees_also_after_a_restart(
    fresh_url: str,
) -> None:
    quiet = {"market": {"source": "none"}}
    path = "token-data?automatic=false"
    async with serving(fresh_url, **quiet) as server:
        await demo.seed(server.rooms.database)
        token = await token_of(server, demo.ADMIN)
        async with (
            websockets.connect(place(server, path), **bearer(token)) as admin,
            websockets.connect(place(server, path)) as guest,
        ):
            await say(admin, "subscribe", "subscription_confirmed", channel="admin.tokens")
            await say(guest, "subscribe", "subscription_confirmed", channel="public.metadata")
            listed = {"address": MINT, "symbol": "SOL", "name": "Solana"}
            await say(admin, "whitelist_add", "whitelist_changed", **listed)
            edit = {"address": MINT, "version": 1, "name": "Solana 2"}
            await say(admin, "whitelist_edit", "whitelist_edited", **edit)
            told = await receive(guest, "token_metadata_changed")
            assert told["changed"] == {"name": {"from": "Solana", "to": "Solana 2"}}
            refused = await say(guest, "whitelist_get", "error")
            assert refused["code"] == "UNAUTHORIZED"
    async with (
        serving(fresh_url, **quiet) as server,
        websockets.connect(place(server, path)) as guest,
    ):
        found = await say(guest, "get_token_metadata", "token_metadata", symbols=["SOL"])
        assert [one["name"] for one in found["tokens"]] == ["Solana 2"]


async def test_a_user_follows_what_he_holds_as_it_changes(fresh_url: str) -> None:
    async with serving(fresh_url) as server:
        await until(lambda: len(server.rooms.market.table) >= 2)
        keys = sorted(server.rooms.market.table.rows())[:2]
        rows = HoldingRows(server.rooms.database)
        await rows.put(demo.USER, keys[0], Decimal("2.50"))
        token = await token_of(server)
        label = f"portfolio.{demo.USER}"
        path = "token-data?automatic=false"
        async with websockets.connect(place(server, path), **bearer(token)) as ws:
            asked = {"channel": label, "format": "json"}
            confirmed = await say(ws, "subscribe", "subscription_confirmed", **asked)
            followed = Followed()
            followed.confirmed(confirmed, keys)

            async def hear() -> dict[str, Any]:
                """Frames of the table on the way are taken in."""
                while (frame := await receive(ws, "table", "holdings"))["type"] == "table":
                    followed.json(frame)
                    assert not followed.resync
                    if sorted(followed[label].by_key()) == awaited:
                        break
                return frame

            awaited: list[str] | None = None
            told = await hear()
            assert told["holdings"] == [{"address": keys[0], "amount": "2.5"}]
            awaited = keys[:1]
            await hear()
            await rows.put(demo.USER, keys[1], Decimal(1))
            awaited = None
            told = await hear()
            assert [one["address"] for one in told["holdings"]] == keys
            awaited = keys
            await hear()
            await rows.put(demo.USER, keys[0], Decimal(0))
            awaited = keys[1:]
            assert (await hear())["type"] == "holdings"
            assert (await hear())["type"] == "table"
