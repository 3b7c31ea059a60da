"""Handing a transport over to picows."""

from __future__ import annotations

import pytest
from picows.picows import WSListener

from fastws._core.line import Cork
from fastws._core.socket import Socket
from fastws._core.wheel import Wheel
from fastws.gateway.handshake import read
from fastws.gateway.head import parse
from fastws.gateway.upgrade import hand_over
from tests.core.wire import ListTransport, frames_of, masked
from tests.fakes import Clock
from tests.gateway.edge import ACCEPT, handshake


class Receiver:
    def __init__(self, socket: Socket, full_after: int) -> None:
        self.socket, self.full_after = socket, full_after
        self.received: list[bytes] = []
        self.ends: list[int] = []

    def receive(self, data: bytes, binary: bool) -> None:
        self.received.append(data)
        if len(self.received) == self.full_after:
            self.socket.pause_reading()

    def drained(self) -> None:
        pass

    def closed(self, code: int, reason: str) -> None:
        self.ends.append(code)


class Handed:
    """A transport handed over with ``rest`` behind the head."""

    def __init__(self, rest: bytes = b"", full_after: int = 0, **fields: str) -> None:
        self.transport = ListTransport()
        self.transport.set_protocol = self._set  # type: ignore[method-assign]
        self.transport.pause_reading()
        self.gone = 0
        self.receiver: Receiver
        self.full_after = full_after
        cork = Cork()
        socket = Socket(self._opened, Wheel(30.0, 20.0, Clock()), cork, max_message=1 << 16)
        found = read(parse(handshake(**fields)[:-4]))
        hand_over(self.transport, found, rest, socket, 1 << 16, self._gone, found.deflate)
        cork.flush()
        self.head, _, self.written = bytes(self.transport.written).partition(b"\r\n\r\n")

    def _opened(self, socket: Socket) -> Receiver:
        self.receiver = Receiver(socket, self.full_after)
        return self.receiver

    def _set(self, protocol: WSListener) -> None:
        self.transport.protocol = protocol

    def _gone(self) -> None:
        self.gone += 1


async def test_what_is_agreed_on_compression_is_said() -> None:
    agreed = b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_"
    assert agreed in Handed(**{"Sec-WebSocket-Extensions": "permessage-deflate"}).head
    assert b"Extensions" not in Handed(**{"Sec-WebSocket-Extensions": "other"}).head


async def test_the_answer() -> None:
    made = Handed(**{"Sec-WebSocket-Protocol": "v69, a.b.c"})
    lines = made.head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
    assert sorted(lines[1:]) == [
        b"Connection: upgrade",
        b"Sec-WebSocket-Accept: " + ACCEPT,
        b"Sec-WebSocket-Protocol: v69",
        b"Server: fastws",
        b"Upgrade: websocket",
    ]
    assert made.transport.reading


@pytest.mark.parametrize("size", [0, 1, 1500, 1800, 5000, 60_000])
async def test_the_rest_is_fed_whatever_its_size(size: int) -> None:
    made = Handed(masked(0x81, b"x" * size) + masked(0x82, b"y") + masked(0x89, b"ping"))
    assert made.receiver.received == [b"x" * size, b"y"]
    assert frames_of(made.written) == [(10, b"ping")]


async def test_reading_stays_paused_if_the_rest_was_enough() -> None:
    made = Handed(masked(0x81, b"x") * 3, full_after=3)
    assert len(made.receiver.received) == 3
    assert not made.transport.reading


async def test_nothing_is_taken_after_a_close_in_the_rest() -> None:
    made = Handed(masked(0x88, b"\x03\xe8") + masked(0x81, b"late"))
    assert made.receiver.received == []
    assert frames_of(made.written) == [(8, b"\x03\xe8")]


async def test_the_end_is_told_once() -> None:
    made = Handed()
    assert made.gone == 0
    made.transport.protocol.connection_lost(None)
    assert made.gone == 1
    assert made.receiver.ends == [1006]
