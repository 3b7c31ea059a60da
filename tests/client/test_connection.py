"""The client against a server that answers, drops, closes and repeats itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fastws.client import Client, Closed, ErrorReply, HandshakeRefused, NoToken, Unreachable
from tests.client.server import FakeServer, make_token


class Waits:
    """Instead of sleeping: remembers how long, and lets the test go on in between."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.gate.wait()


@asynccontextmanager
async def connected(server: FakeServer, **options: Any) -> AsyncIterator[Client]:
    settings: dict[str, Any] = {"token": server.token, "rng": random.Random(1), "sleep": Waits()}
    async with Client(server.url(), **(settings | options)) as client:
        yield client


async def until(client: Client, type_: str, count: int = 1) -> list[dict[str, Any]]:
    """The frames up to the ``count``-th of a type."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        async for frame in client:
            found.append(frame)
            if sum(frame["type"] == type_ for frame in found) == count:
                return found
    raise AssertionError(f"ended before {type_}: {found}")


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0)


@pytest.mark.parametrize("via", ["header", "subprotocol", "query"])
async def test_a_token_is_shown_each_way(server: FakeServer, via: Any) -> None:
    server.reads = (via,)
    async with connected(server, via=via, protocols=["v69"]) as client:
        assert client.established is not None
        assert client.established["authenticated"] is True
        frames = await until(client, "connection_established")
    assert [f["type"] for f in frames] == [
        "welcome",
        "subscription_confirmed",
        "connection_established",
    ]
    assert ("token=" in server.targets[0]) == (via == "query")


async def test_without_a_token_it_says_why(server: FakeServer) -> None:
    with pytest.raises(Closed) as caught:
        await Client(server.url()).connect()
    assert (caught.value.code, caught.value.reason) == (4001, "Authentication required")
    assert caught.value.action == "new_token"
    assert caught.value.error is not None
    assert caught.value.error["code"] == "UNAUTHORIZED"


async def test_a_refused_handshake_names_the_status(server: FakeServer) -> None:
    server.refuse = 404
    with pytest.raises(HandshakeRefused, match="404"):
        await Client(server.url()).connect()


async def test_nobody_answers() -> None:
    async with FakeServer() as server:
        url = server.url()
    with pytest.raises(Unreachable, match="does not answer"):
        await Client(url).connect()


async def test_an_opening_that_never_ends(server: FakeServer) -> None:
    async def never(*args: object) -> None:
        await asyncio.Event().wait()

    server._open = never  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="too long"):
        await Client(server.url(), token=server.token, open_seconds=0.05).connect()


async def test_a_request_gets_its_own_reply(server: FakeServer) -> None:
    async with connected(server) as client:
        status, beat = await asyncio.gather(
            client.request("get_system_status", expect="system_status"),
            client.request("heartbeat"),
        )
        assert status["data"]["status"] == "online"
        assert beat["type"] == "heartbeat_ack"
        frames = await until(client, "SERVER_STATUS_UPDATE")
        assert "heartbeat_ack" not in [frame["type"] for frame in frames]


async def test_an_error_frame_raises_with_its_code(server: FakeServer) -> None:
    async with connected(server) as client:
        with pytest.raises(ErrorReply) as caught:
            await client.subscribe("nowhere")
        assert caught.value.code == "UNKNOWN_CHANNEL"


async def test_a_request_nobody_answers_times_out(server: FakeServer) -> None:
    server.silent.add("heartbeat")
    async with connected(server) as client:
        with pytest.raises(TimeoutError):
            await client.request("heartbeat", seconds=0.02)


async def test_a_request_ends_with_the_connection(server: FakeServer) -> None:
    server.silent.add("heartbeat")
    async with connected(server) as client:
        asked = asyncio.create_task(client.request("heartbeat"))
        await eventually(lambda: bool(server.received))
        await server.close_all(4503, "Endpoint switched off")
        with pytest.raises(Closed) as caught:
            await asked
        assert (caught.value.code, caught.value.action) == (4503, "fall_back")
        with pytest.raises(Closed):
            await client.request("heartbeat")


async def test_a_ping_is_measured(server: FakeServer) -> None:
    async with connected(server) as client:
        assert 0 < await client.ping() < 5
        assert len(client.latencies) == 1


async def test_iteration_ends_well_when_asked_for(server: FakeServer) -> None:
    async with connected(server) as client:
        await client.close()
        assert [frame["type"] async for frame in client][-1] == "connection_established"
    assert client.ended is not None
    assert client.ended.action == "done"


async def test_iteration_raises_when_the_server_ends_it(server: FakeServer) -> None:
    async with connected(server, reconnect=True) as client:
        await server.close_all(4403, "Access withdrawn")
        with pytest.raises(Closed, match="4403"):
            await until(client, "never")
        with pytest.raises(Closed):
            await until(client, "still never")


@pytest.mark.parametrize("how", ["abort", "1001", "1012", "4508"])
async def test_it_comes_back_and_misses_nothing(server: FakeServer, how: str) -> None:
    async with connected(server, reconnect=True) as client:
        await client.subscribe("system.status")
        await server.publish(count=3)
        await until(client, "news", 3)
        client._sleep.gate.clear()  # type: ignore[attr-defined]
        if how == "abort":
            server.drop_all()
        else:
            await server.close_all(int(how))
        await eventually(lambda: bool(client._sleep.seconds))  # type: ignore[attr-defined]
        await server.publish(count=4)
        client._sleep.gate.set()  # type: ignore[attr-defined]
        await eventually(lambda: client.connects == 2)
        frames = await until(client, "news", 4)
        assert [f["offset"] for f in frames if f["type"] == "news"] == [4, 5, 6, 7]
        assert (client.places.gaps, client.places.duplicates) == ([], 0)
        await server.publish()
        assert (await until(client, "news"))[-1]["offset"] == 8


async def test_automatic_channels_are_resumed_too(server: FakeServer) -> None:
    async with connected(server, reconnect=True) as client:
        await server.publish(count=2)
        await until(client, "news", 2)
        client._sleep.gate.clear()  # type: ignore[attr-defined]
        server.drop_all()
        await eventually(lambda: bool(client._sleep.seconds))  # type: ignore[attr-defined]
        await server.publish(count=2)
        client._sleep.gate.set()  # type: ignore[attr-defined]
        frames = await until(client, "news", 2)
        assert [f["offset"] for f in frames if f["type"] == "news"] == [3, 4]
        assert server.received[-1]["since"] == {"epoch": 7, "offset": 2}


async def test_a_restarted_server_is_a_gap(server: FakeServer) -> None:
    async with connected(server, reconnect=True) as client:
        await server.publish(count=2)
        await until(client, "news", 2)
        server.epoch, server.streams["system.status"] = 8, []
        server.drop_all()
        await eventually(lambda: client.connects == 2 and client.established is not None)
        await server.publish()
        assert (await until(client, "news"))[-1]["offset"] == 1
        assert client.places.gaps == [("system.status", 3, None)]


async def test_a_lost_message_is_noticed(server: FakeServer) -> None:
    async with connected(server) as client:
        server.swallow_offsets.add(2)
        await server.publish(count=3)
        await until(client, "news", 2)
        assert client.places.gaps == [("system.status", 2, 2)]


async def test_a_drain_says_when_to_come_back(server: FakeServer) -> None:
    async with connected(server, reconnect=True) as client:
        await server.say(type="drain", reconnect_after_ms=1234, deadline_ms=2000)
        await until(client, "drain")
        await server.close_all(1012, "Service restart")
        await eventually(lambda: client.connects == 2)
        assert client._sleep.seconds == [1.234]  # type: ignore[attr-defined]


async def test_an_ended_token_is_replaced(server: FakeServer) -> None:
    fresh = make_token(jti="second")

    async def new_token() -> str:
        server.token = fresh
        return fresh

    async with connected(server, reconnect=True, new_token=new_token) as client:
        await server.close_all(4401, "Token expired")
        await eventually(lambda: client.connects == 2 and client.established is not None)
        assert client.token == fresh


async def test_a_token_is_renewed_on_the_open_socket(server: FakeServer) -> None:
    async def new_token() -> str:
        return "fresh"

    async with connected(server, new_token=new_token) as client:
        await server.say(type="token_expiring", expires_in=60)
        await eventually(lambda: bool(server.received))
        assert server.received[0]["type"] == "refresh"
        assert server.received[0]["token"] == "fresh"
        assert client.connects == 1


async def test_without_a_new_token_it_stops(server: FakeServer) -> None:
    async def none() -> str:
        raise NoToken(401, "Invalid session")

    async with connected(server, reconnect=True, new_token=none) as client:
        await server.close_all(4401, "Session revoked")
        with pytest.raises(Closed, match="Session revoked"):
            await until(client, "never")
        assert client.connects == 1


async def test_a_refusal_on_the_way_back_stops_it_unless_it_is_temporary(
    server: FakeServer,
) -> None:
    async with connected(server, reconnect=True) as client:
        server.refuse = 503
        server.drop_all()
        await eventually(lambda: len(client._sleep.seconds) >= 4)  # type: ignore[attr-defined]
        waits = client._sleep.seconds[:4]  # type: ignore[attr-defined]
        assert waits == sorted(waits)
        server.refuse = 404
        with pytest.raises(Closed, match="404"):
            await until(client, "never")


async def test_whoever_watches_sees_every_frame_and_every_loss(server: FakeServer) -> None:
    frames: list[dict[str, Any]] = []
    losses: list[tuple[int, bool]] = []

    def lost(closed: Closed, wait: float | None) -> None:
        losses.append((closed.code, wait is not None))

    async with connected(server, reconnect=True, on_frame=frames.append, on_loss=lost) as client:
        await client.request("heartbeat")
        assert frames[-1]["type"] == "heartbeat_ack"
        server.drop_all()
        await eventually(lambda: client.connects == 2 and client.established is not None)
        await server.close_all(4403, "Access withdrawn")
        await eventually(lambda: len(losses) == 2)
    assert losses == [(1006, True), (4403, False)]


async def test_what_is_no_json_object_is_shown_as_it_is(server: FakeServer) -> None:
    async with connected(server) as client:
        await until(client, "connection_established")
        await server.sockets[0].send_str("[1, 2")
        await server.sockets[0].send_str("[1]")
        await server.sockets[0].send_bytes(b"\x01\x02")
        frames = await until(client, "binary")
    assert frames == [
        {"type": "invalid", "text": "[1, 2"},
        {"type": "invalid", "text": "[1]"},
        {"type": "binary", "data": b"\x01\x02"},
    ]


async def test_binary_frames_go_through_the_decoder(server: FakeServer) -> None:
    def decode(data: bytes) -> list[dict[str, Any]]:
        return [{"type": "table", "tick": byte} for byte in data]

    async with connected(server, decode=decode) as client:
        await server.sockets[0].send_bytes(b"\x01\x02")
        frames = await until(client, "table", 2)
        assert [frame.get("tick") for frame in frames[-2:]] == [1, 2]


async def test_a_client_that_does_not_read_stops_reading(server: FakeServer) -> None:
    async with connected(server, waiting=5) as client:
        await server.publish(count=20)
        await eventually(client._frames.full)
        frames = await until(client, "news", 20)
        assert [f["offset"] for f in frames if f["type"] == "news"] == list(range(1, 21))
