"""Logins over a whole server: logout, expiry, refresh, one too many, and the record."""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import pytest
import websockets

from fastws.config import AuthConfig
from fastws.identity import Role, Tokens
from fastws.server import Server, demo
from tests.identity.desk import Clock
from tests.identity.forge import SECRET
from tests.server.conftest import bearer, place, receive, token_of, until

HOURS = AuthConfig(jwt_secret=SECRET, token_seconds=7200)
"""Of tokens that live longer than those of the server."""


async def ended(ws: websockets.ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(websockets.ConnectionClosed):
        await receive(ws, "never")
    return ws.close_code, ws.close_reason


async def alive(ws: websockets.ClientConnection) -> None:
    await ws.send('{"type":"heartbeat"}')
    await receive(ws, "heartbeat_ack")


async def test_a_logout_over_http_closes_the_sockets_at_once_and_the_token_is_dead(
    server: Server, http: aiohttp.ClientSession
) -> None:
    login = await server.rooms.authority.log_in(demo.USER)
    cookie = {"Cookie": f"session={login.session}"}
    async with http.get(f"{server.url}/api/auth/token", headers=cookie) as answer:
        token = (await answer.json())["token"]
    async with (
        websockets.connect(place(server, "monitor"), **bearer(token)) as one,
        websockets.connect(place(server, "token-data"), **bearer(token)) as two,
    ):
        for ws in (one, two):
            await receive(ws, "connection_established")
        async with http.post(f"{server.url}/api/auth/logout", headers=cookie) as answer:
            assert await answer.json() == {"success": True}
        # not by the sweep that looks for expired tokens, nor by a look into the database
        assert {conn.close_code for conn in server.rooms.connections} <= {4401}
        assert await ended(one) == await ended(two) == (4401, "Session revoked")
    async with websockets.connect(place(server, "monitor"), **bearer(token)) as late:
        assert (await ended(late))[0] == 4001
    async with http.get(f"{server.url}/api/auth/token", headers=cookie) as answer:
        assert (answer.status, await answer.json()) == (401, {"error": "Invalid session"})


async def test_a_token_that_ends_is_announced_and_then_closes_unless_it_was_renewed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(server.rooms.connections, "_clock", clock)
    token = await token_of(server, demo.USER)
    longer = Tokens(HOURS, time.time).mint_socket(demo.USER, Role.USER, None)
    async with (
        websockets.connect(place(server, "monitor"), **bearer(token)) as renewed,
        websockets.connect(place(server, "monitor"), **bearer(token)) as forgotten,
    ):
        for ws in (renewed, forgotten):
            await receive(ws, "connection_established")
        (expires,) = {conn.identity.expires_at for conn in server.rooms.connections}
        assert expires is not None
        clock.now = expires - 30
        for ws in (renewed, forgotten):
            assert (await receive(ws, "token_expiring"))["expires_in"] == 30
        await renewed.send(json.dumps({"type": "refresh", "token": longer, "id": 7}))
        assert (await receive(renewed, "token_refreshed"))["id"] == 7
        clock.now = expires
        assert await ended(forgotten) == (4401, "Token expired")
        await alive(renewed)  # the sweep that closed the other one has passed it by


async def test_a_refresh_with_the_token_of_somebody_else_changes_nothing(server: Server) -> None:
    async with websockets.connect(
        place(server, "monitor"), **bearer(await token_of(server, demo.USER))
    ) as ws:
        await receive(ws, "connection_established")
        other = await token_of(server, demo.ADMIN)
        await ws.send(json.dumps({"type": "refresh", "token": other}))
        assert (await receive(ws, "error"))["code"] == "INVALID_TOKEN"
        (conn,) = server.rooms.connections
        assert conn.identity.wallet == demo.USER


async def test_the_eleventh_connection_of_a_user_is_one_too_many(server: Server) -> None:
    token = await token_of(server, demo.USER)
    path = place(server, "token-data")
    open_ = [await websockets.connect(path, **bearer(token)) for _ in range(10)]
    for ws in open_:
        await receive(ws, "connection_established")
    async with websockets.connect(path, **bearer(token)) as refused:
        error = await receive(refused, "error")
        assert error["code"] == "TOO_MANY_CONNECTIONS"
        assert (await ended(refused))[0] == 4409
    for ws in open_:
        await alive(ws)
    await open_.pop().close()
    await until(lambda: server.rooms.connections.of(demo.USER) == 9)
    async with websockets.connect(path, **bearer(token)) as again:
        await receive(again, "connection_established")
    for ws in open_:
        await ws.close()


async def test_the_record_of_a_user_begins_when_he_comes_and_is_complete_when_he_is_gone(
    server: Server,
) -> None:
    token = await token_of(server, demo.USER)

    async def row(number: str) -> dict[str, Any]:
        await server.rooms.recorded.flush()
        question = "SELECT * FROM websocket_connections WHERE connection_id = $1"
        found = await server.rooms.database.fetchrow(question, number)
        assert found is not None
        return dict(found)

    async with websockets.connect(
        place(server, "token-data"), user_agent_header="a client of ours", **bearer(token)
    ) as ws:
        number = (await receive(ws, "connection_established"))["connectionId"]
        begun = await row(number)
        assert begun["disconnected_at"] is None
        assert begun["close_code"] is None
        assert begun["ip"] == "127.0.0.1"
        assert begun["user_agent"] == "a client of ours"
        assert begun["wallet_address"] == demo.USER
        assert begun["nickname"] == f"degen_{demo.USER[:6]}"
        assert begun["is_authenticated"] is True
        await alive(ws)
        await ws.send('{"type":"unsubscribe","channel":"public.market"}')
        await receive(ws, "unsubscription_confirmed")
        await ws.close(4000, "enough")
    await until(lambda: not len(server.rooms.connections))
    done = await row(number)
    assert done["connected_at"] == begun["connected_at"] <= done["disconnected_at"]
    assert done["duration_seconds"] >= 0
    assert (done["close_code"], done["close_reason"]) == (4000, "enough")
    assert done["subscribed_topics"] == ["public.tokens"]
    assert done["messages_received"] == 2
    assert done["messages_sent"] >= 6, "the opening's four, and two answers"
