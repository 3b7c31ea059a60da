"""Tokens from the login routes."""

from __future__ import annotations

import pytest

from fastws.client import NoToken, Unreachable, fetch_token
from tests.client.server import COOKIE, SECRET, FakeServer


async def test_a_token_of_a_session(server: FakeServer) -> None:
    token = await fetch_token(server.http, cookie=COOKIE)
    assert (token.token, token.expires_in) == (server.token, 3600)


async def test_a_token_through_the_development_door(server: FakeServer) -> None:
    token = await fetch_token(server.http, dev_secret=SECRET, wallet="W")
    assert (token.token, token.cookie) == (server.token, COOKIE)


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        ({}, 401, "No session token provided"),
        ({"cookie": "other"}, 401, "No session token provided"),
        ({"dev_secret": "wrong", "wallet": "W"}, 401, "Invalid secret"),
    ],
)
async def test_the_servers_own_words(
    server: FakeServer, options: dict[str, str], status: int, text: str
) -> None:
    with pytest.raises(NoToken) as caught:
        await fetch_token(server.http, **options)  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.text) == (status, text)


async def test_production_has_no_such_door() -> None:
    async with FakeServer(development=False) as server:
        with pytest.raises(NoToken) as caught:
            await fetch_token(server.http, dev_secret=SECRET, wallet="W")
        assert caught.value.status == 404


async def test_another_server_is_recognised(server: FakeServer) -> None:
    server.token_status = 502
    with pytest.raises(NoToken, match="502"):
        await fetch_token(server.http, cookie=COOKIE)


async def test_nobody_answers() -> None:
    async with FakeServer() as server:
        gone = server.http
    with pytest.raises(Unreachable, match="does not answer"):
        await fetch_token(gone)
