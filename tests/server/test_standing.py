"""Roles and bans of a running server: what another program writes acts on open connections."""

from __future__ import annotations

import websockets

from fastws.server import demo
from fastws.store.users import Users
from tests.server.conftest import bearer, place, receive, serving, token_of


async def test_a_ban_in_the_table_closes_what_is_open(fresh_url: str) -> None:
    async with serving(fresh_url) as server:
        users = Users(server.rooms.database)
        token = await token_of(server)
        async with (
            websockets.connect(place(server, "monitor"), **bearer(token)) as monitor,
            websockets.connect(place(server, "token-data"), **bearer(token)) as prices,
            websockets.connect(place(server, "token-data")) as guest,
        ):
            for ws in (monitor, prices, guest):
                await receive(ws, "connection_established")
            await users.set_role(demo.USER, "admin")
            for ws in (monitor, prices):
                assert (await receive(ws, "role_changed"))["role"] == "admin"
            await users.set_banned(demo.USER, True, "spam")
            for ws in (monitor, prices):
                await ws.wait_closed()
                assert (ws.close_code, ws.close_reason) == (4403, "Access withdrawn")
            assert guest.close_code is None


async def test_an_administrator_sees_and_bans_over_the_wire(fresh_url: str) -> None:
    async with serving(fresh_url) as server:
        await demo.seed(server.rooms.database)
        admin = bearer(await token_of(server, demo.ADMIN))
        user = bearer(await token_of(server))
        async with (
            websockets.connect(place(server, "admin"), **admin) as desk,
            websockets.connect(place(server, "monitor"), **user) as theirs,
        ):
            await receive(theirs, "connection_established")
            await desk.send('{"type":"get_connections","endpoint":"monitor"}')
            (one,) = (await receive(desk, "connections"))["connections"]
            assert one["wallet"] == demo.USER
            await desk.send(f'{{"type":"ban","wallet":"{demo.USER}","reason":"spam"}}')
            assert (await receive(desk, "banned"))["wallet"] == demo.USER
            await theirs.wait_closed()
            assert theirs.close_code == 4403
