"""``--test``: five lines, a count, and an exit code that tells the truth."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import web

from fastws.client import Address
from fastws.console import Options, run
from tests.client.server import SECRET, FakeServer
from tests.console.conftest import Paper


def options(server: FakeServer, **fields: Any) -> Options:
    settings = {"endpoint": "monitor", "token": server.token} | fields
    return Options(address=Address("127.0.0.1", server.port), **settings)


def results(paper: Paper) -> list[str]:
    """✓ or ✗ and the step's name, then the count."""
    found = re.findall(r"^([✓✗]) (\w+)|^(\d/5)$", paper.text(), re.MULTILINE)
    return [count or f"{mark} {name}" for mark, name, count in found]


ALL_GOOD = ["✓ open", "✓ subscribe", "✓ status", "✓ heartbeat", "✓ unsubscribe", "5/5"]


async def test_five_of_five(server: FakeServer, paper: Paper) -> None:
    assert await run(options(server), test=True, console=paper) == 0
    assert results(paper) == ALL_GOOD
    assert len(re.findall(r"\d\.\d ms", paper.text())) == 5
    assert server.url() in paper.text()
    assert "/api/auth/token" in paper.text()
    assert server.token not in paper.text()
    assert server.following == {}, "it says goodbye"


async def test_in_development_it_fetches_a_token_itself(server: FakeServer, paper: Paper) -> None:
    given = options(server, token=None, dev_secret=SECRET)
    assert await run(given, test=True, console=paper) == 0
    assert "through dev-login" in paper.text()
    assert SECRET not in paper.text()


async def test_an_endpoint_without_system_status(server: FakeServer, paper: Paper) -> None:
    server.streams["public.tokens"] = []
    assert await run(options(server, endpoint="token-data"), test=True, console=paper) == 0
    assert results(paper) == ALL_GOOD


async def test_an_unknown_endpoint_tries_what_it_was_subscribed_to(
    server: FakeServer, paper: Paper
) -> None:
    assert await run(options(server, endpoint="new"), test=True, console=paper) == 0
    assert server.received[0]["channel"] == "system.status"


async def test_without_a_token_nothing_is_claimed(server: FakeServer, paper: Paper) -> None:
    assert await run(options(server, token=None), test=True, console=paper) == 1
    assert results(paper) == [
        "✗ open", "✗ subscribe", "✗ status", "✗ heartbeat", "✗ unsubscribe", "0/5",
    ]  # fmt: skip
    assert "4001" in paper.text()


async def test_nobody_answers(paper: Paper) -> None:
    async with FakeServer() as server:
        given = options(server)
    assert await run(given, test=True, console=paper) == 1
    assert results(paper)[-1] == "0/5"


async def test_each_step_that_fails_is_counted(
    server: FakeServer, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastws.console.suite.SECONDS", 0.05)
    server.silent.add("heartbeat")
    given = options(server, channel="nowhere")
    assert await run(given, test=True, console=paper) == 1
    assert results(paper) == [
        "✓ open", "✗ subscribe", "✓ status", "✗ heartbeat", "✓ unsubscribe", "3/5",
    ]  # fmt: skip
    assert "UNKNOWN_CHANNEL" in paper.text()


async def test_a_wrong_answer_is_not_taken_for_a_right_one(
    server: FakeServer, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lie(socket: web.WebSocketResponse, message: Any) -> None:
        await socket.send_json({"type": "system_status", "id": message.json()["id"], "data": 1})

    monkeypatch.setattr(server, "_answer", lie)
    assert await run(options(server), test=True, console=paper) == 1
    assert results(paper) == [
        "✓ open", "✗ subscribe", "✗ status", "✗ heartbeat", "✗ unsubscribe", "1/5",
    ]  # fmt: skip


async def test_a_connection_lost_on_the_way(
    server: FakeServer, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drop(socket: web.WebSocketResponse, message: Any) -> None:
        await socket.close(code=4503, message=b"Endpoint switched off")

    monkeypatch.setattr(server, "_answer", drop)
    assert await run(options(server), test=True, console=paper) == 1
    assert results(paper)[:3] == ["✓ open", "✗ subscribe", "✗ status"]
    assert "Endpoint switched off" in paper.text()
