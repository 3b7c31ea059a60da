"""A whole session, its lines from a pipe."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from fastws.client import Address
from fastws.console import ENDPOINTS, Options, endpoint_name, run
from tests.client.server import SECRET, FakeServer
from tests.console.conftest import Paper


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def lines(*text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in text)))

    return lines


def options(server: FakeServer, **fields: Any) -> Options:
    settings = {"endpoint": "monitor", "token": server.token} | fields
    return Options(address=Address("127.0.0.1", server.port), **settings)


async def test_lines_from_a_pipe_are_obeyed_and_answered(
    server: FakeServer, paper: Paper, typed: Any
) -> None:
    typed("ping", "send get_system_status")
    assert await run(options(server), console=paper) == 0
    text = paper.text()
    assert server.url() in text
    assert "curl -s -b" in text
    assert "SERVER_STATUS_UPDATE" in text, "the last question is answered before it leaves"


async def test_quit_leaves_at_once(server: FakeServer, paper: Paper, typed: Any) -> None:
    typed("quit", "send heartbeat")
    assert await run(options(server), console=paper) == 0
    assert "heartbeat_ack" not in paper.text()


async def test_channel_and_message_of_the_command_line(
    server: FakeServer, paper: Paper, typed: Any
) -> None:
    typed()
    given = options(server, channel="system.status", message="echo text=hi")
    assert await run(given, console=paper) == 0
    assert server.targets == ["/api/v69/ws/monitor?channel=system.status"]
    assert server.received[0] == {"type": "echo", "text": "hi"}


async def test_a_message_that_is_none(server: FakeServer, paper: Paper, typed: Any) -> None:
    typed()
    assert await run(options(server, message="{oops"), console=paper) == 1
    assert "not JSON" in paper.text()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"token": None}, "it needs a token; get one with: curl"),
        ({"token": "e.x.y"}, "the token was not accepted; get one with: curl"),
    ],
)
async def test_why_it_may_not(
    server: FakeServer, paper: Paper, typed: Any, fields: dict[str, Any], says: str
) -> None:
    typed()
    assert await run(options(server, **fields), console=paper) == 1
    assert says in paper.text()


async def test_no_such_endpoint(server: FakeServer, paper: Paper, typed: Any) -> None:
    typed()
    server.refuse = 404
    assert await run(options(server, endpoint="nonsense"), console=paper) == 1
    assert "there is no endpoint nonsense" in paper.text()


async def test_no_server(paper: Paper, typed: Any) -> None:
    typed()
    async with FakeServer() as server:
        given = options(server)
    assert await run(given, console=paper) == 1
    assert "is the server running?" in paper.text()


async def test_an_end_for_good_ends_it(
    server: FakeServer, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_types(*_: object) -> Any:
        await server.close_all(4403, "Access withdrawn")
        await asyncio.Event().wait()
        yield ""

    monkeypatch.setattr("fastws.console.session._lines", nobody_types)
    assert await run(options(server), console=paper) == 1
    assert "Access withdrawn" in paper.text()
    assert "would not help" in paper.text()


async def test_it_comes_back_with_a_new_token(
    server: FakeServer, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loses_it(*_: object) -> Any:
        await server.close_all(1012, "Service restart")
        async with asyncio.timeout(5):
            while len(server.targets) < 2:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0)
        yield "ping"

    monkeypatch.setattr("fastws.console.session._lines", loses_it)
    given = options(server, token=None, dev_secret=SECRET)
    assert await run(given, console=paper) == 0
    assert "again in" in paper.text()


async def test_the_secret_is_shown_to_this_machine_only(
    server: FakeServer, paper: Paper, typed: Any
) -> None:
    typed()
    given = Options(
        endpoint="monitor", address=Address("far.example", server.port), dev_secret=SECRET
    )
    assert await run(given, console=paper) == 1
    assert server.tokens_given == 0
    assert "dev-login" not in paper.text()


async def test_a_wrong_development_secret_is_said(
    server: FakeServer, paper: Paper, typed: Any
) -> None:
    typed()
    assert await run(options(server, token=None, dev_secret="old"), console=paper) == 1
    assert "dev-login gave no token: HTTP 401: Invalid secret" in paper.text()


async def test_production_has_no_door_and_that_is_no_problem(paper: Paper, typed: Any) -> None:
    typed()
    async with FakeServer(development=False) as server:
        assert await run(options(server, token=None, dev_secret=SECRET), console=paper) == 1
    assert "dev-login" not in paper.text()


@pytest.mark.parametrize(
    ("typed_name", "path"),
    [
        ("circuit", "circuit-breaker"),
        ("settings", "system-settings"),
        ("user-notifications", "notifications"),
        ("token_data", "token-data"),
        ("/monitor/", "monitor"),
    ],
)
def test_names_people_use(typed_name: str, path: str) -> None:
    assert endpoint_name(typed_name) == path
    assert path in ENDPOINTS
