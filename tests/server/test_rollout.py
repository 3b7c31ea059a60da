"""Switches on a whole server: older URLs, a kill switch, and flags as they change."""

from __future__ import annotations

import json

import pytest
import websockets

from fastws.server import demo
from tests.server.conftest import bearer, place, receive, serving, token_of


async def test_older_urls_open_and_close_by_a_flag_and_endpoints_are_switched(
    fresh_url: str,
) -> None:
    async with serving(fresh_url, market={"source": "none"}) as server:
        await demo.seed(server.rooms.database)
        token = await token_of(server, demo.ADMIN)
        older = f"ws://127.0.0.1:{server.port}/api/v2/ws/token-data"
        async with websockets.connect(place(server, "admin"), **bearer(token)) as admin:
            with pytest.raises(websockets.InvalidStatus, match="404"):
                await websockets.connect(older)
            flag = {"type": "set_flag", "name": "alias.v2", "enabled": True}
            await admin.send(json.dumps(flag))
            await receive(admin, "flag_set")
            ws = await websockets.connect(older)
            await receive(ws, "connection_established")
            off = {"type": "set_endpoint", "name": "token-data", "enabled": False}
            await admin.send(json.dumps(off))
            await receive(admin, "endpoint_set")
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (4503, "Endpoint switched off")
            ws = await websockets.connect(older)
            await ws.wait_closed()
            assert ws.close_code == 4503
            await admin.send(json.dumps({**off, "enabled": True}))
            await receive(admin, "endpoint_set")
            async with websockets.connect(older) as ws:
                await receive(ws, "connection_established")


async def test_a_flag_that_changes_in_the_database_is_pushed(fresh_url: str) -> None:
    async with serving(fresh_url, market={"source": "none"}) as server:
        path = "monitor?endpoint=public.flags&channel=public.flags"
        async with websockets.connect(place(server, path)) as ws:
            assert (await receive(ws, "flags"))["flags"] == {}
            sql = "INSERT INTO fastws_flags (name, enabled, updated_by) VALUES ('f', true, 'sql')"
            await server.rooms.database.execute(sql)
            assert (await receive(ws, "flags"))["flags"] == {"f": True}
