"""Attacks on the edge: who attacks is cut off, what the server holds is bounded, others go on.

Structure only: who is closed, with which code, what is held. How much a neighbour feels is
measured by ``python -m bench attacks``.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from bench import sockets
from bench.process import ServerProcess

TEST = "/api/v69/ws/test"
TOKENS = "/api/v69/ws/token-data"
HEAD = b"GET /api/v69/ws/test HTTP/1.1\r\nHost: x\r\nX-Long: "
MIB = 2**20

Connect = Callable[[str], socket.socket]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A demo server with its own limits but for short times and many clients of one address."""
    settings = {
        "PROFILE": "",
        "GATEWAY_HEAD_SECONDS": "0.5",
        "GATEWAY_ADDRESS_RATE": "1000",
        "GATEWAY_ADDRESS_BURST": "1000",
        "LIMITS_PING_IDLE_SECONDS": "1",
        "LIMITS_PING_TIMEOUT_SECONDS": "1",
        "MARKET_LIST_SECONDS": "0.2",
    }
    with ServerProcess("--demo", **settings) as started:
        yield started


@pytest.fixture
def connect(server: ServerProcess) -> Iterator[Connect]:
    """Opens sockets, and closes them when the test is over."""
    with contextlib.ExitStack() as stack:

        def opened(path: str) -> socket.socket:
            sock = stack.enter_context(sockets.connect(server.port, path))
            sock.settimeout(20)
            return sock

        yield opened


@pytest.fixture
def healthy(connect: Connect) -> Iterator[socket.socket]:
    """A neighbour: it must be answered after every attack, on the same connection."""
    sock = connect(TEST)
    yield sock
    ping(sock)


def ping(sock: socket.socket) -> None:
    sock.sendall(sockets.frame(b'{"type":"ping","id":"here"}'))
    while b'"pong"' not in next_text(sock):
        pass


def next_text(sock: socket.socket) -> bytes:
    while True:
        opcode, payload = sockets.read_frame(sock)
        if opcode == 9:
            sock.sendall(sockets.frame(payload, opcode=10))
        elif opcode == 1:
            return payload
        elif opcode == 8:
            raise AssertionError(f"closed: {payload!r}")


def close_of(sock: socket.socket) -> tuple[int, str]:
    """Read on to the end: code and reason of the server's CLOSE."""
    while True:
        opcode, payload = sockets.read_frame(sock)
        if opcode == 8:
            return struct.unpack("!H", payload[:2])[0], payload[2:].decode()


def send_all(sock: socket.socket, data: bytes) -> None:
    """As much as the server takes: it may cut the line before the end."""
    try:
        sock.sendall(data)
    except (ConnectionError, TimeoutError):
        return


def drip(sock: socket.socket, data: bytes) -> bytes:
    """A byte at a time until the server has had enough: what it said, if anything."""
    for at in range(len(data)):
        send_all(sock, data[at : at + 1])
        sock.settimeout(0.01)
        try:
            return sock.recv(4096)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
    raise AssertionError("it was let go on to the end")


def figure(server: ServerProcess, name: str) -> float:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)
    assert found or f"# TYPE {name} " in text, f"no figure {name}"
    return sum(map(float, found))


def test_a_flood_of_tiny_frames_is_closed(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    before = server.rss
    attacker = connect(TEST)
    send_all(attacker, sockets.frame(b"{}") * 100_000)
    assert close_of(attacker) == (1008, "Message rate limit exceeded")
    assert server.rss - before < 8 * MIB


def test_a_ping_flood_without_reading_is_closed_and_holds_nothing(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    before = server.rss
    closed = figure(server, "fastws_closes_total")
    attacker = connect(TEST)
    send_all(attacker, sockets.frame(b"x" * 125, opcode=9) * 100_000)
    while figure(server, "fastws_closes_total") == closed:
        assert figure(server, "fastws_pending_bytes") < MIB
    assert server.rss - before < 8 * MIB


def test_a_reader_that_stops_is_skipped_not_queued_for(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    stopped = []
    for _ in range(20):
        sock = connect(TOKENS)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stopped.append(sock)
    reader = connect(TOKENS)
    seen = figure(server, "fastws_skipped_total")
    lists = 0
    while lists < 10 or figure(server, "fastws_skipped_total") == seen:
        lists += b'"token_update"' in next_text(reader)
    # one list each at the most waits: what was being written when the socket became full
    assert figure(server, "fastws_pending_bytes") <= len(stopped) * MIB


def test_a_dripped_head_is_cut_off(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        answer = drip(sock, HEAD + b"y" * 8000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_a_dripped_frame_is_no_sign_of_life(connect: Connect) -> None:
    sock = connect(TEST)
    close = b""
    for byte in sockets.frame(b"x" * 4000):
        send_all(sock, bytes([byte]))
        sock.settimeout(0.02)
        try:
            opcode, payload = sockets.read_frame(sock)
        except TimeoutError:
            continue
        if opcode == 8:
            close = payload
            break
    assert close[2:] == b"Heartbeat timeout"


def test_ten_thousand_subscriptions_make_no_channels(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    before, channels = server.rss, figure(server, "fastws_channels")
    attacker = connect(TOKENS)
    messages = (
        sockets.frame(json.dumps({"type": "subscribe", "channel": f"token.X{n}"}).encode())
        for n in range(10_000)
    )
    send_all(attacker, b"".join(messages))
    assert close_of(attacker)[0] in (1008, 4529)
    assert figure(server, "fastws_channels") == channels
    assert server.rss - before < 16 * MIB


@pytest.mark.parametrize("fin", [True, False], ids=["a frame", "fragments"])
def test_a_message_over_the_limit_is_refused_before_it_is_kept(
    server: ServerProcess, connect: Connect, healthy: socket.socket, fin: bool
) -> None:
    before = server.rss
    attacker = connect(TEST)
    part = sockets.frame(b"x" * 8 * MIB) if fin else sockets.frame(b"x" * 60_000, fin=False)
    send_all(attacker, part if fin else part + sockets.frame(b"x" * 60_000, 0, fin=False) * 100)
    assert close_of(attacker)[0] == 1009
    assert server.rss - before < 8 * MIB


def test_a_message_in_endless_fragments_is_refused(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    attacker = connect(TEST)
    send_all(attacker, sockets.frame(b"", fin=False) + sockets.frame(b"", 0, fin=False) * 500)
    assert close_of(attacker) == (1009, "Message in too many fragments")


def test_who_asks_faster_than_he_reads_waits(
    server: ServerProcess, connect: Connect, healthy: socket.socket
) -> None:
    sock = connect(TOKENS)
    for number in range(60):
        message = {"type": "get_all_tokens", "id": number}
        send_all(sock, sockets.frame(json.dumps(message).encode()))
    assert figure(server, "fastws_pending_bytes") < 4 * MIB
    answers = 0
    while answers < 60:
        answers += b'"id":' in next_text(sock)[-100:]
