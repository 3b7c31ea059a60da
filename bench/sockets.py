"""A WebSocket client of a few lines over a raw socket: cheap enough to open thousands."""

from __future__ import annotations

import os
import socket
import struct

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def address_of(index: int) -> str:
    """A loopback source address of its own for client ``index`` (127.0.0.0/8)."""
    return f"127.1.{index // 250 % 250}.{index % 250 + 1}"


def connect(port: int, path: str, token: str | None = None, index: int = 0) -> socket.socket:
    """Open a WebSocket and read the 101; frames that came with it stay in the kernel."""
    sock = socket.socket()
    sock.bind((address_of(index), 0))
    sock.connect(("127.0.0.1", port))
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
        f"{authorization}\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError(f"refused: {head!r}")
        head += byte
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(head.split(b"\r\n", 1)[0].decode())
    return sock


def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """One masked client frame (RFC 6455 section 5.2)."""
    mask = os.urandom(4)
    size = len(payload)
    first = opcode | (0x80 if fin else 0)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    repeated = mask * (size // 4 + 1)
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return head + mask + (masked.to_bytes(size, "big") if size else b"")


def read_frame(sock: socket.socket) -> tuple[int, bytes]:
    """The next server frame: opcode and payload."""
    first, second = _exactly(sock, 2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", _exactly(sock, 2))
    elif size == 127:
        (size,) = struct.unpack("!Q", _exactly(sock, 8))
    return first & 0x0F, _exactly(sock, size)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise ConnectionError("closed")
        parts += part
    return bytes(parts)
