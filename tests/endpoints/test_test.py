"""The echo: what is known is answered, the rest comes back as it was sent."""

from __future__ import annotations

import pytest

from fastws import __version__
from fastws.endpoints.test import Test as Echoes
from tests.fakes import Clock, ask, make_base, make_hub, opened


@pytest.fixture
def endpoint() -> Echoes:
    clock = Clock()
    return Echoes(make_base(make_hub(clock), clock), lambda: 3)


async def test_the_welcome_tells_about_the_server(endpoint: Echoes) -> None:
    conn, _, frames = await opened(endpoint)
    assert [frame["type"] for frame in frames] == ["welcome", "connection_established"]
    welcome = frames[0]
    assert (welcome["connection_id"], welcome["authenticated"]) == (conn.id, False)
    info = welcome["server_info"]
    assert (info["version"], info["connections"], info["uptime"]) == (__version__, 3, 0)
    assert info["max_message"] == 65_536


async def test_echo(endpoint: Echoes) -> None:
    conn, outlet, _ = await opened(endpoint)
    sent = {"type": "echo", "id": 4, "nested": {"a": [1, None, "ü"]}}
    (frame,) = await ask(conn, outlet, **sent)
    assert (frame["type"], frame["id"], frame["original"]) == ("echo", 4, sent)
    assert frame["time"].endswith("Z")
    assert conn.state is None


async def test_what_every_endpoint_knows(endpoint: Echoes) -> None:
    conn, outlet, _ = await opened(endpoint)
    for message, answer in (
        ({"type": "heartbeat"}, "heartbeat_ack"),
        ({"type": "ping"}, "pong"),
        ({"type": "subscribe", "channel": "test"}, "subscription_confirmed"),
        ({"type": "unsubscribe", "channel": "test"}, "unsubscription_confirmed"),
        ({"type": "subscribe"}, "error"),
    ):
        (frame,) = await ask(conn, outlet, **message)
        assert frame["type"] == answer


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[1, 2]",
        b'{"type":"unheard of", "x":  1}',
        b'{"type":"heartbeat"',
        b"{}",
        b'{"type":7}',
        b'{"type":"ping","id":[]}',
        b"\x01\x02\x00\xff",
        b"x" * 65_536,
    ],
)
async def test_anything_else_comes_back_as_sent(
    endpoint: Echoes, data: bytes, binary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, outlet, _ = await opened(endpoint)
    kinds: list[bool] = []
    send = outlet.send

    def noting(data: bytes, binary: bool = False) -> None:
        kinds.append(binary)
        send(data, binary)

    monkeypatch.setattr(outlet, "send", noting)
    conn.receive(data, binary)
    await conn.idle()
    assert outlet.frames == [data]
    assert kinds == [binary]
    assert outlet.closed is None


async def test_raw_says_nothing_of_its_own(endpoint: Echoes) -> None:
    conn, outlet, frames = await opened(endpoint, query={"raw": ""})
    assert frames == []
    for data in (b'{"type":"heartbeat"}', b"x"):
        conn.receive(data, False)
        await conn.idle()
    assert outlet.frames == [b'{"type":"heartbeat"}', b"x"]


async def test_broken_text_is_not_passed_on_as_json(endpoint: Echoes) -> None:
    conn, outlet, _ = await opened(endpoint)
    conn.receive(b'{"type":"echo","x":"\xff"}', True)
    await conn.idle()
    assert b"\xff" not in outlet.frames[0] or outlet.frames == [b'{"type":"echo","x":"\xff"}']


async def test_echoes_are_limited_too(endpoint: Echoes) -> None:
    conn, outlet, _ = await opened(endpoint, messages_per_minute=2)
    for _ in range(3):
        conn.receive(b"x", False)
    await conn.idle()
    frames = [frame for frame in outlet.frames if frame != b"x"]
    assert outlet.frames.count(b"x") == 2
    assert any(b"RATE_LIMIT_EXCEEDED" in frame for frame in frames)
