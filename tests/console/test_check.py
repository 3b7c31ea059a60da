"""``fastws check``: four questions, the first no ends it and says what to mend."""

from __future__ import annotations

import socket
import time
from typing import Any

import jwt
import pytest

from fastws.client import Address
from fastws.console import CHECKS, check
from tests.client.server import COOKIE, FakeServer


async def asked(server: FakeServer, **options: Any) -> tuple[int, list[str]]:
    lines: list[str] = []
    good = await check(Address("127.0.0.1", server.port), lines.append, **options)
    return good, lines


def token(**claims: Any) -> str:
    return jwt.encode(claims, "x" * 32, algorithm="HS256")


async def test_without_a_token_it_says_how_to_get_one(server: FakeServer) -> None:
    good, lines = await asked(server)
    assert good == 1
    assert [line[0] for line in lines] == ["✓", "✗"]
    assert "--token" in lines[1]


@pytest.mark.parametrize(
    ("claims", "says"),
    [({"exp": 1000}, "expired"), ({}, "no time of expiry")],
)
async def test_a_token_past_its_time_is_told_from_one_that_is_not_accepted(
    server: FakeServer, claims: dict[str, Any], says: str
) -> None:
    good, lines = await asked(server, token=token(**claims))
    assert good == 2
    assert says in lines[-1]
    assert "✗ not expired" in lines[-1]


async def test_a_token_of_another_server_is_not_accepted(server: FakeServer) -> None:
    good, lines = await asked(server, token=token(exp=time.time() + 60))
    assert good == 3
    assert "JWT_SECRET" in lines[-1]


async def test_what_is_no_token_is_told_so(server: FakeServer) -> None:
    good, lines = await asked(server, token='"quoted"')
    assert good == 1
    assert "no JWT" in lines[-1]


async def test_a_good_session_gets_four_times_yes(server: FakeServer) -> None:
    good, lines = await asked(server, cookie=COOKIE)
    assert good == len(CHECKS)
    assert [line[0] for line in lines] == ["✓"] * 4
    assert lines[-1].endswith("as W (user)")
    assert not any(server.token in line or COOKIE in line for line in lines)


async def test_a_cookie_that_is_none_says_log_in_again(server: FakeServer) -> None:
    good, lines = await asked(server, cookie="stale")
    assert good == 0
    assert "log in again" in lines[0]
    assert "stale" not in lines[0]


async def test_something_else_at_that_port_is_told_from_a_server(server: FakeServer) -> None:
    server.token_status = 404
    good, lines = await asked(server)
    assert good == 0
    assert "404" in lines[0]
    assert "/api/auth/" in lines[0]


async def test_a_token_that_gets_lost_on_the_way_is_told_so(server: FakeServer) -> None:
    """As behind a proxy that drops headers, at a place where nobody need log in."""
    server.reads = ("query",)
    server.demands = ()
    good, lines = await asked(server, token=server.token)
    assert good == 3
    assert "as nobody" in lines[-1]
    assert "proxy" in lines[-1]


async def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        lines: list[str] = []
        good = await check(Address("127.0.0.1", closed.getsockname()[1]), lines.append)
    assert good == 0
    assert "does not answer" in lines[0]
    assert "fastws serve" in lines[0]


def test_they_are_four() -> None:
    assert len(CHECKS) == 4
