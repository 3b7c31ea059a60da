"""Does a server grow? Clients that come and go in every way for MINUTES (10).

    MINUTES=2 CLIENTS=200 python -m bench soak

Some read and leave politely, some follow tokens, some never read, some reset the connection and
some give up within the handshake. Each ten seconds the server's resident set and descriptors are
noted. The first third is for caches to fill; then the last third may not be larger than the one
before by more than noise, and when all clients are gone the descriptors are those of the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import statistics
import struct
import sys
import time
import urllib.request
from pathlib import Path

from bench.process import ServerProcess
from bench.sockets import KEY, address_of, frame

PATH = "/api/v69/ws/token-data"
SAMPLE_SECONDS = 10
NOISE_MIB = 4.0
NOISE_SHARE = 0.03
LONGEST_LIFE = 40.0
HEARTBEAT_SECONDS = 15.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Crowd:
    """A number of clients, each replaced by another when it is gone."""

    def __init__(self, port: int, symbols: list[str], rng: random.Random) -> None:
        self._port = port
        self._symbols = symbols
        self._rng = rng
        self.served = 0
        self.bytes = 0

    async def place(self) -> None:
        """One place in the crowd, for ever."""
        kinds = (self._polite, self._follower, self._deaf, self._rude, self._hesitant)
        while True:
            (kind,) = self._rng.choices(kinds, weights=(30, 30, 10, 20, 10))
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await kind()
            self.served += 1

    def _life(self) -> float:
        return self._rng.uniform(1.0, LONGEST_LIFE)

    async def _open(self, buffer: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        sock.setblocking(False)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((address_of(self._rng.randrange(60_000)), 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=buffer or 2**16)
        writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
            f"Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return reader, writer

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        async def heartbeats() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                writer.write(frame(b'{"type":"heartbeat"}'))

        beat = asyncio.ensure_future(heartbeats())
        try:
            with contextlib.suppress(TimeoutError):  # it lived as long as it was to
                async with asyncio.timeout(seconds):
                    while part := await reader.read(2**16):
                        self.bytes += len(part)
        finally:
            beat.cancel()

    async def _polite(self) -> None:
        reader, writer = await self._open()
        await self._read(reader, writer, self._life())
        writer.write(frame(struct.pack("!H", 1000), opcode=8))
        async with asyncio.timeout(5):
            while await reader.read(2**16):
                pass
        writer.close()

    async def _follower(self) -> None:
        reader, writer = await self._open()
        some = self._rng.sample(self._symbols, 50)
        for type_ in ("subscribe_tokens", "unsubscribe_tokens", "subscribe_tokens"):
            writer.write(frame(json.dumps({"type": type_, "symbols": some}).encode()))
        await self._read(reader, writer, self._life())
        writer.close()

    async def _deaf(self) -> None:
        _, writer = await self._open(buffer=4096)
        await asyncio.sleep(self._life())
        writer.transport.abort()

    async def _rude(self) -> None:
        reader, writer = await self._open()
        await self._read(reader, writer, self._life() / 4)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    async def _hesitant(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await asyncio.sleep(self._rng.uniform(0, 2))
        writer.transport.abort()


def descriptors(server: ServerProcess) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


def symbols_of(server: ServerProcess) -> list[str]:
    """Addresses of tokens, as a page of the server's own knows them."""
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{server.port}{PATH}", max_size=2**21) as ws:
        while (message := json.loads(ws.recv()))["type"] != "token_update":
            pass
    return [token["address"] for token in message["data"]]


async def _watch(server: ServerProcess, minutes: float, clients: int) -> list[float]:
    """Let the crowd in, and note MiB of resident set until the time is over."""
    crowd = Crowd(server.port, symbols_of(server), random.Random(1))
    places = [asyncio.ensure_future(crowd.place()) for _ in range(clients)]
    mib: list[float] = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        await asyncio.sleep(SAMPLE_SECONDS)
        for place in places:
            if place.done():
                place.result()
        mib.append(server.rss / 2**20)
        print(
            f"  {len(mib) * SAMPLE_SECONDS:5} s  {mib[-1]:7.1f} MiB"
            f"  {descriptors(server):5} descriptors  {server.cpu:7.1f} s CPU"
            f"  {crowd.served:7,} clients served  {crowd.bytes / 2**20:9,.0f} MiB read",
            flush=True,
        )
    for place in places:
        place.cancel()
    await asyncio.gather(*places, return_exceptions=True)
    return mib


def _settled(server: ServerProcess, before: int) -> int:
    """Descriptors when they are no more than before, or after half a minute."""
    end = time.monotonic() + 30
    while descriptors(server) > before and time.monotonic() < end:
        time.sleep(0.1)
    return descriptors(server)


def run() -> None:
    minutes = float(os.environ.get("MINUTES", "10"))
    if minutes < 2:
        sys.exit("soak: in less than 2 minutes caches are still filling, and nothing is said")
    clients = int(os.environ.get("CLIENTS", "200"))
    with ServerProcess("--demo") as server:
        with urllib.request.urlopen(server.url + "/readyz") as answer:
            answer.read()
        before = descriptors(server)
        mib = asyncio.run(_watch(server, minutes, clients))
        after = _settled(server, before)
        troubles = server.log().count("Traceback")
    third = max(1, len(mib) // 3)
    middle, last = statistics.median(mib[-2 * third : -third]), statistics.median(mib[-third:])
    allowed = max(NOISE_MIB, middle * NOISE_SHARE)
    print(f"resident set: {middle:.1f} → {last:.1f} MiB (at most +{allowed:.1f})")
    print(f"descriptors: {before} before, {after} when all were gone")
    if last - middle > allowed or after > before or troubles:
        sys.exit(f"soak: the server grew, or logged {troubles} tracebacks")
