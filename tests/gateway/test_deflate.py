"""Compression end to end: what is agreed on, both directions, and what may not be sent."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from fastws._core.deflate import Deflater
from fastws.config import EndpointConfig
from tests.browser import opened
from tests.core.test_deflate import listed
from tests.core.test_messages import deflated
from tests.core.wire import Wired, masked
from tests.gateway.edge import PATH, Client, Edge, edge, handshake

OFFER = "permessage-deflate; client_max_window_bits"
AGREED = b"Sec-WebSocket-Extensions: permessage-deflate; "
MOST = 1 << 20


@asynccontextmanager
async def compressing(switch: bool = True, **gateway: Any) -> AsyncIterator[Edge]:
    async with edge(**gateway) as made:
        settings = EndpointConfig(max_message=MOST, deflate=switch)
        endpoint = made.door.endpoint
        endpoint.base = msgspec.structs.replace(endpoint.base, settings=settings)
        yield made


def dial(made: Edge, **options: Any) -> connect:
    url = f"ws://127.0.0.1:{made.gateway.port}{PATH}?raw=1"
    return connect(url, max_size=MOST, **options)


async def agreed(made: Edge) -> Client:
    """A raw client that agreed on compression."""
    client = await made.client(handshake(**{"Sec-WebSocket-Extensions": OFFER}))
    assert AGREED in await client.head()
    return client


async def close_code(client: Client) -> int:
    opcode, body = await client.frame()
    assert opcode == 8, body[:100]
    (code,) = struct.unpack_from("!H", body)
    return int(code)


async def echoed(ws: ClientConnection, message: str | bytes) -> bool:
    await ws.send(message)
    return await ws.recv() == message


async def test_a_client_of_another_make_is_understood_and_understands() -> None:
    async with compressing() as made, dial(made) as ws:
        (extension,) = ws.protocol.extensions
        assert extension.name == "permessage-deflate"
        for size in (0, 10, 4_000, 10_000, 60_000, 700_000):
            assert await echoed(ws, listed(size)[:MOST].decode())
        assert await echoed(ws, b"\x00" * 10_000)
        assert made.deflater.compressions == 4, "the long texts"
        assert made.deflater.saved > 500_000


async def test_a_compressed_message_in_fragments_is_understood() -> None:
    async with compressing() as made, dial(made) as ws:
        text = listed(30_000).decode()
        await ws.send(text[at : at + 1000] for at in range(0, len(text), 1000))
        assert await ws.recv() == text


async def test_many_clients_share_one_compression_and_those_without_it_get_plain_frames() -> None:
    frame = listed(300_000)
    async with compressing() as made:
        able = [await dial(made).__aenter__() for _ in range(5)]
        unable = await dial(made, compression=None).__aenter__()
        for conn in made.door.connections:
            conn.push(frame)
        for ws in (*able, unable):
            assert await ws.recv() == frame.decode()
        assert (made.deflater.compressions, made.deflater.sent) == (1, 5)
        assert unable.protocol.extensions == []
        for ws in (*able, unable):
            await ws.close()


async def test_a_window_that_is_too_small_is_declined() -> None:
    small = ClientPerMessageDeflateFactory(server_max_window_bits=10)
    async with (
        compressing() as made,
        dial(made, compression=None, extensions=[small]) as ws,
    ):
        assert ws.protocol.extensions == []
        assert await echoed(ws, listed(20_000).decode())
        assert made.deflater.compressions == 0


async def test_an_endpoint_without_it_does_not_agree() -> None:
    async with compressing(switch=False) as made, dial(made) as ws:
        assert ws.protocol.extensions == []
        assert await echoed(ws, listed(20_000).decode())


async def test_a_client_that_offers_nothing_is_answered_nothing() -> None:
    async with compressing() as made:
        client = await made.client(handshake())
        assert b"Extensions" not in await client.head()
        await client.send(masked(0xC1, deflated(b"hello")))
        assert await close_code(client) == 1002


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(0xC1, deflated(bytes(MOST + 1))), 1009),
        (masked(0xC1, deflated(bytes(200_000_000), 9)), 1009),
        (masked(0x41, deflated(b"x" * 99)[:9]) + masked(0xC0, deflated(b"x" * 99)[9:]), 1002),
        (masked(0xC1, b"\xff\xff"), 1007),
        (masked(0xC1, deflated(b"\xff")), 1007),
        (masked(0xC9, b"ping"), 1002),
        (masked(0xA1, b"rsv2"), 1002),
        (masked(0x91, b"rsv3"), 1002),
    ],
    ids=["too long", "a bomb", "RSV1 again", "bad data", "no UTF-8", "a ping", "RSV2", "RSV3"],
)
async def test_what_may_not_be_sent_ends_it(frames: bytes, code: int) -> None:
    async with compressing() as made:
        client = await agreed(made)
        await client.send(frames)
        assert await close_code(client) == code


async def test_long_compressed_messages_use_up_the_budget_of_frames() -> None:
    """Each is a thousandth of what it becomes; it is charged for that."""
    bomb = masked(0xC2, deflated(bytes(MOST)))
    assert len(bomb) < 2000
    wired = Wired(deflater=Deflater(), max_message=MOST, frame_rate=10, frame_burst=1000)
    wired.feed(bomb * 50)
    assert len(wired.messages) == 7
    assert wired.sent() == [(8, struct.pack("!H", 1008) + b"Message rate limit exceeded")]
    plain = Wired(deflater=Deflater(), max_message=MOST, frame_rate=10, frame_burst=1000)
    whole = masked(0x82, bytes(MOST))
    for _ in range(20):
        plain.feed(whole)
    assert len(plain.messages) == 20, "who sends a message whole has paid for it"


OPEN = """path => new Promise((done, fail) => {
    const ws = new WebSocket(`ws://${location.host}${path}?raw=1`);
    const come = [], waiting = [];
    ws.onmessage = event => waiting.length ? waiting.shift()(event.data) : come.push(event.data);
    window.next = () => come.length ? come.shift() : new Promise(got => waiting.push(got));
    window.echo = text => { ws.send(text); return next(); };
    ws.onopen = () => done(ws.extensions);
    ws.onclose = event => fail(new Error(`closed with ${event.code}`));
})"""


@pytest.mark.browser
async def test_a_browser_reads_the_list_and_compresses_what_it_sends() -> None:
    frame = listed(300_000)
    async with (
        compressing() as made,
        opened(f"http://127.0.0.1:{made.gateway.port}/hello") as (page, _),
    ):
        assert (await page.evaluate(OPEN, PATH)).startswith("permessage-deflate")
        made.door.connections[-1].push(frame)
        assert await page.evaluate("() => next()") == frame.decode()
        assert made.deflater.sent == 1
        assert await page.evaluate("text => echo(text)", frame.decode()) == frame.decode()
        assert made.deflater.sent == 2
