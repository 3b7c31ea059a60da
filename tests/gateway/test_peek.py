"""One port on the wire: pages, WebSockets, and what is neither."""

from __future__ import annotations

import asyncio
import gc
import weakref

import orjson
import pytest

from tests.core.wire import masked
from tests.gateway.edge import ACCEPT, CLOSE, KEY, LISTED, PATH, TEXT, Client, edge, handshake

GET = b"GET /hello HTTP/1.1\r\nHost: fast.test\r\n\r\n"


async def says_hello(client: Client, size: int = 0) -> None:
    status, _, body = await client.answer()
    assert (status, orjson.loads(body)) == (200, {"path": "/hello", "size": size})


# ── pages ───────────────────────────────────────────────────────────────────────────────────


async def test_a_page_and_the_next_on_the_same_connection() -> None:
    async with edge() as at:
        client = await at.client(GET)
        await says_hello(client)
        await client.send(GET)
        await says_hello(client)
        assert at.gateway.pending_heads == 0
        assert at.gateway.open_sockets == 1


async def test_a_head_in_segments_of_one_byte() -> None:
    async with edge() as at:
        client = await at.client()
        for at_byte in range(len(GET)):
            await client.send(GET[at_byte : at_byte + 1])
            await asyncio.sleep(0)
        await says_hello(client)


async def test_pipelined_requests_are_all_answered_in_order() -> None:
    async with edge() as at:
        client = await at.client(GET * 20)
        for _ in range(20):
            await says_hello(client)


async def test_a_head_request_has_no_body() -> None:
    async with edge() as at:
        client = await at.client(GET.replace(b"GET", b"HEAD") + GET)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        await says_hello(client)


async def test_a_chunked_post_whose_body_follows_later() -> None:
    async with edge() as at:
        head = b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = await at.client(head + b"5\r\nab")
        await at.until(lambda: at.gateway.pending_heads == 0)
        await client.send(b"cde\r\n3\r\nfgh\r\n0\r\n\r\n")
        await says_hello(client, size=8)


async def test_empty_lines_before_a_request_are_passed_over() -> None:
    async with edge() as at:
        client = await at.client(b"\r\n\r\n\r")
        await client.send(b"\n" + GET)
        await says_hello(client)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\x00 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
        "GET /ü HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    ],
)
async def test_garbage_is_refused_at_once(garbage: bytes) -> None:
    async with edge() as at:
        status, text = await at.refused(garbage)
        assert status == 400
        assert "malformed" in text or "Host" in text
        assert at.gateway.refused["malformed"] == 1


async def test_a_failing_page_tells_nothing_and_costs_nobody_else() -> None:
    async with edge() as at:
        client = await at.client(GET.replace(b"hello", b"broken"))
        status, _, body = await client.answer()
        assert (status, b"inner" in body) == (500, False)
        await says_hello(await at.client(GET))


# ── limits of a head ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ended", [True, False])
async def test_a_head_over_the_limit_is_431(ended: bool) -> None:
    async with edge(head_bytes=1000) as at:
        long = b"GET /hello HTTP/1.1\r\nX: " + b"y" * 1000 + (b"\r\n\r\n" if ended else b"")
        assert await at.refused(long) == (431, "The request head is too long")


async def test_a_head_of_exactly_the_limit_is_served() -> None:
    async with edge(head_bytes=1000) as at:
        start = b"GET /hello HTTP/1.1\r\nHost: x\r\nX: "
        client = await at.client(start + b"y" * (1000 - len(start) - 4) + b"\r\n\r\n")
        await says_hello(client)


async def test_a_dripped_head_is_closed_with_408() -> None:
    async with edge(head_seconds=0.2) as at:
        client = await at.client(b"GET /")
        for _ in range(3):
            await client.send(b"x")
        status, _, body = await client.answer()
        assert (status, orjson.loads(body)) == (408, {"error": "Request took too long"})
        assert await client.rest() == b""
        assert at.gateway.refused["slow_head"] == 1


async def test_a_silent_connection_is_closed_without_a_word() -> None:
    async with edge(head_seconds=0.1) as at:
        client = await at.client()
        assert await client.rest() == b""
        assert at.gateway.refused["silent"] == 1


async def test_a_peer_that_leaves_in_the_head_leaves_nothing() -> None:
    async with edge() as at:
        for data in (b"", b"GET /", GET[:-1]):
            client = await at.client(data)
            await at.until(lambda: at.gateway.pending_heads == 1)
            client.writer.transport.abort()
            await at.until(lambda: at.gateway.open_sockets == 0)
        assert at.gateway.pending_heads == 0


async def test_a_refused_peer_that_keeps_on_sending_reads_why_and_is_ended() -> None:
    async with edge(head_bytes=1000) as at:
        client = await at.client(b"GET /" + b"x" * 200_000)
        assert (await client.answer())[0] == 431
        assert await client.reader.read() == b"", "an end, not a reset that may eat the answer"
        await at.until(lambda: at.gateway.open_sockets == 0)  # though the client stays


# ── WebSockets ──────────────────────────────────────────────────────────────────────────────


async def test_a_handshake_is_answered_and_messages_go_both_ways() -> None:
    async with edge() as at:
        client = await at.client(handshake())
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Sec-WebSocket-Accept: " + ACCEPT in head
        assert b"Sec-WebSocket-Protocol" not in head
        assert b"Sec-WebSocket-Extensions" not in head
        await client.echo()
        assert at.gateway.pending_heads == 0
        assert at.gateway.open_sockets == 1


async def test_a_handshake_in_segments_of_one_byte() -> None:
    async with edge() as at:
        client = await at.client()
        for byte in handshake():
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.echo()


@pytest.mark.parametrize("size", [5, 3000, 20_000])
async def test_frames_glued_to_the_head_arrive(size: int) -> None:
    async with edge() as at:
        client = await at.client(handshake() + masked(0x81, b"x" * size) + masked(0x81, b"end"))
        await client.head()
        assert await client.frame() == (TEXT, b"x" * size)
        assert await client.frame() == (TEXT, b"end")
        await client.echo()


@pytest.mark.parametrize(
    "fields",
    [
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE", "Upgrade": "WebSocket"},
        {"Sec-WebSocket-Extensions": ""},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Origin": LISTED},
        {"Origin": "http://fast.test"},
        {"Content-Length": "0"},
        {"Origin": LISTED, "Cookie": "a=b; session=c"},
    ],
)
async def test_how_browsers_spell_a_handshake(fields: dict[str, str]) -> None:
    async with edge() as at:
        client = await at.client(handshake(**fields))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.echo()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Cookie": "session=abc"}, 403),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Content-Length": "5"}, 400),
        ({"Host": None}, 400),
    ],
)
async def test_a_wrong_handshake_is_refused(fields: dict[str, str | None], status: int) -> None:
    async with edge() as at:
        assert (await at.refused(handshake(**fields)))[0] == status
        assert at.door.credentials == [], "nobody was looked up for it"


async def test_the_order_of_refusals() -> None:
    async with edge() as at:
        foreign = {"Origin": "https://evil.example"}
        assert await at.refused(handshake("/api/v69/ws/unknown", **foreign)) == (404, "Not found")
        assert await at.refused(handshake(**foreign)) == (403, "Origin not allowed")


async def test_426_names_the_version() -> None:
    async with edge() as at:
        client = await at.client(handshake(**{"Sec-WebSocket-Version": "7"}))
        _, headers, _ = await client.answer()
        assert headers["sec-websocket-version"] == "13"


async def test_query_and_credentials_reach_the_door() -> None:
    async with edge() as at:
        path = PATH + "&raw&channel=token.%24WIF%2FSOL&token=a.b.c"
        client = await at.client(handshake(path, **{"User-Agent": "tester"}))
        await client.head()
        (conn,) = at.door.connections
        assert conn.query["channel"] == "token.$WIF/SOL"
        assert at.door.credentials == [("query", "a.b.c")]
        assert conn.peer.user_agent == "tester"
        assert (conn.peer.address, conn.peer.host) == ("127.0.0.1", "fast.test")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("a.b.c, v69", b"v69"), ("a.b.c", b"a.b.c"), ("v69, a.b.c", b"v69")],
)
async def test_an_offered_subprotocol_is_answered(offered: str, chosen: bytes) -> None:
    async with edge() as at:
        client = await at.client(handshake(**{"Sec-WebSocket-Protocol": offered}))
        assert b"Sec-WebSocket-Protocol: " + chosen + b"\r\n" in await client.head()
        assert at.door.credentials == [("subprotocol", "a.b.c")]


async def test_frames_sent_while_the_user_is_looked_up_wait_in_the_kernel() -> None:
    async with edge() as at:
        at.door.waits = asyncio.Event()
        client = await at.client(handshake())
        await at.door.asked.wait()
        await client.send(masked(0x81, b"early"))
        assert at.gateway.pending_heads == 1
        assert not at.reading(), "what is sent meanwhile costs the kernel, not us"
        at.door.waits.set()
        await client.head()
        assert await client.frame() == (TEXT, b"early")
        assert at.reading()


async def test_a_lookup_that_takes_too_long_is_503() -> None:
    async with edge(head_seconds=0.2) as at:
        at.door.waits = asyncio.Event()
        client = await at.client(handshake())
        status, headers, _ = await client.answer()
        assert (status, headers["retry-after"]) == (503, "5")
        assert await client.rest() == b""
        assert at.gateway.refused["identify_slow"] == 1


async def test_a_peer_that_leaves_during_the_lookup_leaves_nothing() -> None:
    async with edge() as at:
        at.door.waits = asyncio.Event()
        client = await at.client(handshake())
        await at.door.asked.wait()
        client.writer.transport.abort()
        at.door.waits.set()
        await at.until(lambda: at.gateway.open_sockets == 0)
        assert at.gateway.pending_heads == 0


async def test_stopping_gives_up_a_lookup() -> None:
    async with edge() as at:
        at.door.waits = asyncio.Event()
        client = await at.client(handshake())
        await at.door.asked.wait()
        await at.gateway.stop()
        assert await client.rest() == b""
        await at.door.given_up.wait()


async def test_a_failing_lookup_is_a_fixed_500() -> None:
    async with edge() as at:
        at.door.broken = "identify"
        assert await at.refused(handshake()) == (500, "Internal server error")


async def test_a_failing_connect_closes_with_1011_and_no_inner_text() -> None:
    async with edge() as at:
        at.door.broken = "connect"
        client = await at.client(handshake())
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.frame() == (CLOSE, (1011).to_bytes(2, "big"))
        assert await client.rest() == b""
        await at.until(lambda: at.gateway.open_sockets == 0)


async def test_a_websocket_that_ends_is_given_back_and_forgotten() -> None:
    async with edge() as at:
        client = await at.websocket()
        await client.echo()
        conn = weakref.ref(at.door.connections.pop())
        await client.send(masked(0x88, (1000).to_bytes(2, "big")))
        assert (await client.frame())[0] == CLOSE
        await at.until(lambda: at.gateway.open_sockets == 0)
        await at.until(at.door.gone.is_set)
        await asyncio.sleep(0)
        gc.collect()
        assert conn() is None


async def test_stopping_takes_nobody_more_and_ends_who_is_there() -> None:
    async with edge() as at:
        client = await at.websocket()
        page = await at.client(GET)
        await says_hello(page)
        at.gateway.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await at.client()
        await client.echo(b"still here")
        await at.gateway.stop()
        assert await client.rest() == b""
        assert await page.rest() == b""


# ── a handshake on a connection that served pages ───────────────────────────────────────────


async def test_an_upgrade_on_a_kept_alive_connection() -> None:
    async with edge() as at:
        client = await at.client(GET)
        await says_hello(client)
        await client.send(GET)
        await says_hello(client)
        await client.send(handshake() + masked(0x81, b"glued"))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.frame() == (TEXT, b"glued")
        await client.echo()
        assert at.gateway.open_sockets == 1
        assert at.gateway.pending_heads == 0


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "behind a page"])
async def test_a_tunnel_is_refused_not_handed_to_and_fro(before: bytes) -> None:
    async with edge() as at:
        client = await at.client(before + b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")
        if before:
            await says_hello(client)
        assert b" 405 " in await client.head()
        await client.rest()


async def test_an_upgrade_pipelined_behind_pages_waits_for_them() -> None:
    async with edge() as at:
        client = await at.client(GET * 3 + handshake() + masked(0x81, b"glued"))
        for _ in range(3):
            await says_hello(client)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.frame() == (TEXT, b"glued")
        await client.echo()


async def test_a_late_upgrade_byte_by_byte() -> None:
    async with edge() as at:
        client = await at.client(GET)
        await says_hello(client)
        for byte in handshake():
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.echo()


async def test_a_late_upgrade_is_judged_like_any() -> None:
    async with edge() as at:
        for head, status in (
            (handshake("/api/v69/ws/unknown"), 404),
            (handshake(Origin="https://evil.example"), 403),
            (handshake(**{"Sec-WebSocket-Version": "8"}), 426),
            (handshake("/x", "X: " + "y" * 7000, Y="z" * 2000), 431),
        ):
            client = await at.client(GET)
            await says_hello(client)
            await client.send(head)
            assert (await client.answer())[0] == status
            assert await client.rest() == b""


async def test_a_late_upgrade_keeps_target_and_headers() -> None:
    async with edge() as at:
        client = await at.client(GET)
        await says_hello(client)
        path = PATH + "?raw&channel=token.%24WIF%2FSOL"
        await client.send(handshake(path, Authorization="Bearer a.b.c"))
        await client.head()
        assert at.door.credentials == [("header", "a.b.c")]
        assert at.door.connections[0].query["channel"] == "token.$WIF/SOL"


async def test_an_upgrade_to_something_else_is_a_page() -> None:
    async with edge() as at:
        other = GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
        client = await at.client(other)
        await says_hello(client)
        await client.send(GET)
        await says_hello(client)


async def test_a_websocket_header_without_connection_upgrade_is_a_page() -> None:
    async with edge() as at:
        head = f"GET /hello HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}"
        await says_hello(await at.client(head.encode() + b"\r\n\r\n"))


async def test_a_post_is_no_handshake() -> None:
    async with edge() as at:
        client = await at.client(handshake().replace(b"GET", b"POST", 1))
        status, headers, _ = await client.answer()
        assert (status, headers["allow"]) == (405, "GET")
