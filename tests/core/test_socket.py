"""A socket: every first byte however it is cut, floods, slow peers, and an end that comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as sockets
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picows import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol

from fastws._core.line import Cork
from fastws._core.socket import CLOSE_SECONDS, Socket
from fastws._core.wheel import Wheel
from fastws.errors import Close
from tests.core import oracle
from tests.core.wire import BINARY, CLOSE, HEAD, PONG, TEXT, Wired, frames_of, masked

PAYLOAD = struct.pack("!H", 1000)  # a close code, and valid text but for its second byte
CUTS = ("whole", "bytewise", "split")


def in_pieces(data: bytes, how: str) -> list[bytes]:
    if how == "whole":
        return [data]
    if how == "bytewise":
        return [data[at : at + 1] for at in range(len(data))]
    return [data[:3], data[3:]]


def expected(first: int) -> str:
    """What RFC 6455 says of a first frame that begins with this byte."""
    opcode, fin, reserved = first & 0x0F, bool(first & 0x80), bool(first & 0x70)
    if opcode not in (0, 1, 2, 8, 9, 10) or (opcode >= 8 and not fin):
        return "failure"
    return oracle.Messages(1 << 20, 64).feed(opcode, fin, reserved, PAYLOAD)


@pytest.mark.parametrize("how", CUTS)
async def test_every_first_byte(how: str) -> None:
    for first in range(256):
        wired = Wired()
        for piece in in_pieces(masked(first, PAYLOAD), how):
            wired.feed(piece)
        found = "" if wired.socket.open else "failure"
        sent = wired.sent()
        if wired.messages:
            found = "binary" if wired.messages[0][1] else "text"
        elif sent and sent[0][0] == PONG:
            found = "ping"
        elif sent == [(CLOSE, PAYLOAD)]:
            found = "close"
        elif sent:
            assert sent[0][0] == CLOSE, hex(first)
            assert sent[0][1][:2] in (b"\x03\xea", b"\x03\xef"), hex(first)
        wanted = expected(first)
        assert found == ("" if wanted == "pong" else wanted), hex(first)
        wired.socket.abort()
        await wired.gone.wait()
        assert len(wired.ends) == 1, hex(first)
        assert len(wired.wheel) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x81, 0x01, 0x82, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1]),
            st.one_of(st.binary(max_size=10), st.text(max_size=9).map(str.encode)),
        ),
        max_size=10,
    ),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_messages_do_not_depend_on_how_bytes_arrive(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    async def run() -> tuple[list[tuple[bytes, bool]], bool]:
        wired = Wired()
        stream = b"".join(masked(first, payload) for first, payload in frames)
        for cut in cuts:
            wired.feed(stream[:cut])
            stream = stream[cut:]
        wired.feed(stream)
        result = (wired.messages, wired.socket.open)
        wired.socket.abort()
        await wired.gone.wait()
        return result

    twin, wanted, is_open = oracle.Messages(1 << 20, 64), [], True
    for first, payload in frames:
        event = twin.feed(first & 0x0F, bool(first & 0x80), bool(first & 0x70), payload)
        if event in ("text", "binary"):
            wanted.append((twin.data, event == "binary"))
        if event in ("close", "failure"):
            is_open = False
            break
    messages, still_open = asyncio.run(run())
    assert still_open == is_open
    # picows parses one frame ahead: what stands right before a frame it refuses may be lost
    assert messages == wanted or (not is_open and messages == wanted[:-1])


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02hi", 1002),
        (masked(0x81, b"x" * 10, b"\x7e\x00\x0a"), 1002),
        (masked(0x81, b"", b"\x7f" + bytes(8)), 1002),
        (masked(0x89, b"x" * 126), 1002),
        (masked(0x82, b"", b"\x7f" + struct.pack("!Q", 1 << 40)), 1009),
        (masked(0x82, b"x" * 101), 1009),
    ],
    ids=["unmasked", "long length", "longer length", "long ping", "a terabyte", "over the limit"],
)
async def test_malformed_frames_end_it(frame: bytes, code: int) -> None:
    wired = Wired(max_message=100)
    wired.feed(frame)
    assert not wired.socket.open
    ((opcode, body),) = wired.sent()
    assert (opcode, body[:2]) == (CLOSE, struct.pack("!H", code))
    assert not wired.transport.reading, "nothing more is read from it"
    await wired.gone.wait()
    assert wired.ends[0][0] == code
    assert wired.messages == []


async def test_frames_of_every_size_are_written_whole() -> None:
    wired = Wired()
    for size in (0, 1, 125, 126, 8192, 8193, 65535, 65536, 100_000):
        wired.socket.send(b"x" * size, binary=True)
        assert wired.sent() == [(BINARY, b"x" * size)]
    wired.socket.send("ü".encode())
    assert wired.sent() == [(TEXT, "ü".encode())]


async def test_frames_that_wait_are_not_overwritten_by_later_ones() -> None:
    wired = Wired()
    wired.transport.stuck = True
    payloads = [bytes([65 + at]) * size for at, size in enumerate((9000, 20, 70_000, 8192, 1))]
    for payload in payloads:
        wired.socket.send(payload)
    assert [payload for _, payload in wired.sent()] == payloads


# ── floods ──────────────────────────────────────────────────────────────────────────────


async def test_a_flood_of_tiny_frames_is_cut_off_within_one_read() -> None:
    wired = Wired(frame_rate=10, frame_burst=50)
    wired.feed(masked(0x81) * 5000)
    assert len(wired.messages) == 50
    ((opcode, body),) = wired.sent()
    assert (opcode, body) == (CLOSE, struct.pack("!H", 1008) + b"Message rate limit exceeded")
    assert Close.RATE_LIMIT.reason == "Message rate limit exceeded"
    assert not wired.transport.reading


async def test_the_budget_fills_again_with_time() -> None:
    wired = Wired(frame_rate=10, frame_burst=5)
    wired.feed(masked(0x81) * 5)
    wired.clock.now += 0.5
    wired.feed(masked(0x81) * 5)
    assert wired.socket.open
    wired.feed(masked(0x81))
    assert not wired.socket.open


async def test_pings_are_answered_and_counted() -> None:
    wired = Wired(frame_rate=10, frame_burst=3)
    wired.feed(masked(0x89, b"one") + masked(0x89, b"two"))
    assert wired.sent() == [(PONG, b"one"), (PONG, b"two")]
    wired.feed(masked(0x89) * 2)
    assert not wired.socket.open


async def test_a_ping_flood_without_reading_piles_nothing_up() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"waits")
    wired.cork.flush()
    for number in range(1000):
        wired.feed(masked(0x89, b"%d" % number))
    assert wired.transport.waiting == 7, "only what waited before"
    wired.sent()
    wired.transport.drain()
    assert wired.sent() == [(PONG, b"999")], "the latest is answered"


async def test_a_drained_socket_tells_its_connection() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"x" * 100)
    wired.cork.flush()
    assert (wired.socket.pending, wired.socket.writable) == (102, False)
    wired.transport.drain()
    assert (wired.drains, wired.socket.pending, wired.socket.writable) == (1, 0, True)


# ── the end ─────────────────────────────────────────────────────────────────────────────


async def test_after_a_close_of_ours_nothing_is_handled_or_sent() -> None:
    wired = Wired()
    wired.socket.close(4401, "Token expired")
    wired.socket.close(1000, "")
    wired.socket.send(b"late")
    wired.feed(masked(0x81, b"late") + masked(0x89, b"late"))
    assert wired.sent() == [(CLOSE, struct.pack("!H", 4401) + b"Token expired")]
    assert wired.messages == []
    wired.feed(masked(0x88, struct.pack("!H", 4401)))
    await wired.gone.wait()
    assert wired.ends == [(4401, "Token expired")]
    assert not wired.transport.aborted.is_set(), "the peer answered: no need for force"


async def test_frames_behind_a_close_in_the_same_read_are_not_handled() -> None:
    wired = Wired()
    wired.feed(masked(0x81, b"before") + masked(0x88, struct.pack("!H", 1000) + b"bye"))
    wired.feed(masked(0x81, b"after"))
    await wired.gone.wait()
    assert wired.messages == [(b"before", False)]
    assert wired.ends == [(1000, "bye")]
    assert wired.sent() == [(CLOSE, struct.pack("!H", 1000))]


async def test_a_close_without_a_code_is_answered_without_one() -> None:
    wired = Wired()
    wired.feed(masked(0x88))
    await wired.gone.wait()
    assert wired.sent() == [(CLOSE, b"")]
    assert wired.ends == [(1005, "")]


async def test_a_peer_that_does_not_answer_a_close_is_cut_off() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"never read")
    wired.socket.close(1012, "Service restart")
    async with asyncio.timeout(CLOSE_SECONDS + 10):
        await wired.transport.aborted.wait()
        await wired.gone.wait()
    assert wired.ends == [(1012, "Service restart")]


async def test_a_lost_socket_is_1006() -> None:
    wired = Wired()
    wired.transport._lose()
    await wired.gone.wait()
    assert wired.ends == [(1006, "")]
    wired.socket.send(b"late")
    wired.socket.close(1000, "late")
    wired.socket.pause_reading()
    wired.socket.resume_reading()
    wired.socket.abort()
    assert (wired.socket.pending, wired.socket.writable) == (0, False)


async def test_a_long_reason_is_cut_at_a_character() -> None:
    wired = Wired()
    wired.socket.close(1000, "ü" * 100)
    ((_, body),) = wired.sent()
    assert body[2:].decode() == "ü" * 61


async def test_a_fault_of_ours_closes_with_1011_and_shows_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wired = Wired()

    def fail(data: bytes, binary: bool) -> None:
        raise RuntimeError("inner text")

    wired.receive = fail  # type: ignore[method-assign]
    wired.feed(masked(0x81, b"x"))
    assert wired.sent() == [(CLOSE, struct.pack("!H", 1011))]
    assert "inner text" in caplog.text, "it is ours to read"
    await wired.gone.wait()
    assert wired.ends == [(1011, "Internal error")]


# ── over a real socket ──────────────────────────────────────────────────────────────────


class Served:
    """A server of echo sockets on a real port."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.wheel = Wheel(30, 20)
        self.cork = Cork()
        self.drains = asyncio.Event()

    def receive(self, data: bytes, binary: bool) -> None:
        pass

    def drained(self) -> None:
        self.drains.set()

    def closed(self, code: int, reason: str) -> None:
        pass

    def _opened(self, socket: Socket) -> Served:
        self.sockets.append(socket)
        return self

    def protocol(self) -> WSProtocol:
        socket = Socket(self._opened, self.wheel, self.cork, max_message=1 << 20)

        def accept(request: object) -> WSUpgradeResponseWithListener:
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(), socket)

        return WSProtocol(
            None, None, False, accept, socket, True, None, False, 0, 0,
            WSAutoPingStrategy.PING_WHEN_IDLE, False, 1 << 20, None, 2048,
        )  # fmt: skip


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(HEAD)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_reader_that_stops_and_goes_on_misses_no_byte() -> None:
    served = Served()
    server = await asyncio.get_running_loop().create_server(served.protocol, "127.0.0.1", 0)
    reader, writer = await connect(server.sockets[0].getsockname()[1])
    (socket,) = served.sockets
    payloads = [os.urandom(size) for size in (10, 9000, 300_000, 40, 2_000_000, 8192, 65_536)] * 3
    for payload in payloads:
        socket.send(payload, True)
    assert socket.pending > 0, "the kernel does not take six megabytes"
    data = bytearray()
    wanted = sum(len(p) + (2 if len(p) < 126 else 4 if len(p) < 65536 else 10) for p in payloads)
    async with asyncio.timeout(30):
        while len(data) < wanted:
            data += await reader.read(1 << 16)
        await served.drains.wait()
    assert [payload for _, payload in frames_of(bytes(data))] == payloads
    assert socket.writable
    writer.close()
    server.close()


async def test_a_reused_descriptor_never_gets_the_frames_of_another() -> None:
    served = Served()
    server = await asyncio.get_running_loop().create_server(served.protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for number in range(50):
        _, writer = await connect(port)
        old = served.sockets[-1]
        if number % 2:
            old.abort()
        else:
            old.close(1000, "")
        ours, theirs = sockets.socketpair()  # takes a number that has become free
        for _ in range(20):
            old.send(b"for somebody else")
            await asyncio.sleep(0)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        ours.close()
        theirs.close()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    server.close()
