"""A socket of ours over a transport of plain lists: bytes in, messages and frames out."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from picows import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol

from fastws._core.line import Cork
from fastws._core.socket import Socket
from fastws._core.wheel import Wheel
from tests.fakes import Clock, frames_of

HEAD = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = b"\x11\x22\x33\x44"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(first: int, payload: bytes = b"", length: bytes | None = None) -> bytes:
    """A client's frame with any first byte; ``length`` overrides the spelling of the length."""
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 65536:
            length = b"\x7e" + struct.pack("!H", size)
        else:
            length = b"\x7f" + struct.pack("!Q", size)
    length = bytes([length[0] | 0x80]) + length[1:]
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([first]) + length + MASK + body


class _Descriptor:
    def fileno(self) -> int:
        return -1

    def setsockopt(self, *args: Any) -> None:
        pass

    def getsockopt(self, *args: Any) -> int:
        return 0


class ListTransport(asyncio.Transport):
    """Keeps what is written; ``stuck`` makes everything from then on wait in its buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.waiting = 0
        self.stuck = False
        self.reading = True
        self.aborted = asyncio.Event()
        self._closing = False
        self.protocol: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _Descriptor() if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0, "full is: something waits"

    def write(self, data: Any) -> None:
        assert not self._closing, "nothing may be written to a closed transport"
        self.written += data
        if self.stuck:
            full, self.waiting = self.waiting > 0, self.waiting + len(data)
            if not full:
                self.protocol.pause_writing()

    def drain(self, size: int | None = None) -> None:
        """The peer reads ``size`` bytes of what waits, or everything."""
        self.waiting = 0 if size is None else max(0, self.waiting - size)
        if not self.waiting:
            self.stuck = False
            self.protocol.resume_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        if not self.waiting:
            self._lose()

    def abort(self) -> None:
        self._closing = True
        self.aborted.set()
        self._lose()

    def _lose(self) -> None:
        asyncio.get_running_loop().call_soon(self._lost)

    def _lost(self) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connection_lost(None)


class Wired:
    """A connected `Socket`; is its own receiver. To be made inside a running loop."""

    def __init__(self, clock: Clock | None = None, **options: Any) -> None:
        self.clock = clock or Clock(1000.0)
        self.wheel = Wheel(30.0, 20.0, self.clock)
        self.messages: list[tuple[bytes, bool]] = []
        self.ends: list[tuple[int, str]] = []
        self.gone = asyncio.Event()
        self.drains = 0
        self.transport = ListTransport()
        settings = {"max_message": 1 << 20, "frame_burst": 1e6, "frame_rate": 1e6} | options
        self.cork = Cork()
        self.socket = Socket(self._opened, self.wheel, self.cork, **settings)
        protocol = WSProtocol(
            None, None, False, self._accept, self.socket, True, None, False, 0, 0,
            WSAutoPingStrategy.PING_WHEN_IDLE, False, settings["max_message"], None, 2048,
        )  # fmt: skip
        self.transport.protocol = self._protocol = protocol
        protocol.connection_made(self.transport)
        self.feed(HEAD)
        assert self.transport.written.startswith(b"HTTP/1.1 101 ")
        self.transport.written.clear()

    def _accept(self, request: Any) -> WSUpgradeResponseWithListener:
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(), self.socket)

    def _opened(self, socket: Socket) -> Wired:
        return self

    def receive(self, data: bytes, binary: bool) -> None:
        self.messages.append((data, binary))

    def drained(self) -> None:
        self.drains += 1

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.gone.set()

    def feed(self, data: bytes) -> None:
        """Bytes come from the client, in pieces the buffer takes."""
        while data:
            room = self._protocol.get_buffer(-1)
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self._protocol.buffer_updated(size)
            data = data[size:]

    def sent(self) -> list[tuple[int, bytes]]:
        """The frames written since the last call, and those that would leave with this turn."""
        self.cork.flush()
        found = frames_of(bytes(self.transport.written))
        self.transport.written.clear()
        return found
