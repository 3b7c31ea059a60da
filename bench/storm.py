"""A reconnect storm: 5,000 clients with tokens lose their connections at once and come back.

Messages go on meanwhile. Each client resumes the stream where it was; counted are those that
were told ``recovered: true``, and every offset must follow the one before.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

from bench.peers.run import ROOT, python
from bench.sockets import KEY, address_of, frame

PATH = "/api/v69/ws/test"
WAVE = 200
"""Handshakes that one client machine has under way at a time."""


class Returning:
    """A client that knows its place in the stream."""

    def __init__(self, index: int, port: int, token: str) -> None:
        self.index, self.port, self.token = index, port, token
        self.epoch = self.offset = self.gaps = 0
        self.recovered = False
        self.writer: asyncio.StreamWriter | None = None
        self.reading: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Open, log in, subscribe from the place; returns when it is confirmed."""
        reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address_of(self.index), 0)
        )
        self.writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head[:60])
        wish: dict[str, object] = {"type": "subscribe", "channel": "test"}
        if self.epoch:
            wish["since"] = {"epoch": self.epoch, "offset": self.offset}
        self.writer.write(frame(json.dumps(wish).encode()))
        while (said := await self._next(reader)).get("type") != "subscription_confirmed":
            pass
        self.recovered = bool(said.get("recovered"))
        if not self.epoch:
            self.epoch, self.offset = said["epoch"], said["offset"]
        self.reading = asyncio.ensure_future(self._read(reader))

    async def _next(self, reader: asyncio.StreamReader) -> dict[str, object]:
        size = (await reader.readexactly(2))[1] & 0x7F
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        read: dict[str, object] = json.loads(await reader.readexactly(size))
        return read

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            said = await self._next(reader)
            if said["type"] == "b":
                self.gaps += said["offset"] != self.offset + 1
                self.offset = int(str(said["offset"]))
            elif said["type"] == "gap":
                self.gaps += 1

    def cut(self) -> None:
        """Lose the connection without a word."""
        assert self.writer is not None
        assert self.reading is not None
        self.reading.cancel()
        self.writer.transport.abort()


async def storm(port: int, tokens: list[str], count: int, pid: int) -> None:
    gate = asyncio.Semaphore(WAVE)

    async def one(client: Returning) -> None:
        async with gate:
            await client.join()

    clients = [Returning(i, port, tokens[i % len(tokens)]) for i in range(count)]
    await asyncio.gather(*map(one, clients))
    os.kill(pid, signal.SIGUSR2)
    await asyncio.sleep(2)
    begun = time.monotonic()
    for client in clients:
        client.cut()
    await asyncio.gather(*map(one, clients))
    took = time.monotonic() - begun
    await asyncio.sleep(1)
    os.kill(pid, signal.SIGHUP)
    await asyncio.sleep(3)
    newest = max(client.offset for client in clients)
    print(
        "| clients | back after | recovered | gaps | at the newest message |\n|---|---|---|---|---|"
    )
    print(
        f"| {count:,} | {took:.1f} s | {sum(c.recovered for c in clients):,} | "
        f"{sum(c.gaps for c in clients)} | {sum(c.offset == newest for c in clients):,} |"
    )
    for client in clients:
        client.cut()


def run() -> None:
    count = 500 if "--quick" in sys.argv else 5000
    server = subprocess.Popen(
        python("with_fastws", "same", 2, 128, 0, 1), stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdout is not None
    tokens = []
    try:
        for line in server.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "token":
                tokens.append(rest)
            elif word == "port":
                asyncio.run(storm(int(rest), tokens, count, server.pid))
                break
    finally:
        server.terminate()
        server.wait(20)
