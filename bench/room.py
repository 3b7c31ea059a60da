"""A crowded room: 5,000 spectators and 600 who chat, a hundred messages a second in all.

Each message carries when it was said; a hundred of the spectators look at it, the others count
messages. In the end everybody must have had all of them, and the count of spectators must be right.

python -m bench room [--quick]
"""

from __future__ import annotations

import asyncio
import json
import re
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import asyncpg

from bench.process import ServerProcess
from bench.sockets import connect, frame, read_frame
from fastws.store.embedded import EmbeddedPostgres

RATE = 100.0
LOOKING = 100
"""Spectators who read the time of each message."""

WATCH = "/api/v69/ws/contest?automatic=false&endpoint=public.contests&channel=public.contest.{}"
SAID = b'"type":"chat_message"'
TIME = re.compile(rb'"text":"(\d+)"')

CONTEST = """
    INSERT INTO contests (contest_code, name, start_time, end_time, settings)
    VALUES ('room', 'Room', now() + interval '1 day', now() + interval '2 days',
            '{"spectator_chat": true}') RETURNING id
"""


class Readers:
    """Everybody who only reads, on one thread."""

    def __init__(self) -> None:
        self._chooser = selectors.DefaultSelector()
        self._going = True
        self.counts: dict[int, int] = {}
        self.late: list[float] = []
        self.closed = 0
        self._tails: dict[int, bytes] = {}
        self._thread = threading.Thread(target=self._read)

    def add(self, sock: socket.socket) -> None:
        """One more; the first of them look at what they get."""
        sock.setblocking(False)
        self.counts[sock.fileno()] = 0
        self._chooser.register(sock, selectors.EVENT_READ, len(self.counts) <= LOOKING)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._going = False
        self._thread.join()

    def _read(self) -> None:
        while self._going:
            for key, _ in self._chooser.select(0.2):
                self._take(key)

    def _take(self, key: selectors.SelectorKey) -> None:
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        data = sock.recv(262_144)
        if not data:
            self.closed += 1
            self._chooser.unregister(sock)
            return
        # A frame that is cut in its first bytes is counted by its other end: both are looked for
        # in what was read before, too, by keeping the tail.
        data = self._tails.pop(key.fd, b"") + data
        self._tails[key.fd] = data[-len(SAID) + 1 :] if not data.endswith(b"}") else b""
        self.counts[key.fd] += data.count(SAID)
        if key.data:
            now = time.time_ns()
            self.late += [(now - int(said)) / 1e6 for said in TIME.findall(data)]


def spectate(port: int, contest: int, count: int, readers: Readers) -> list[socket.socket]:
    """So many who watch, and read the chat."""
    made = []
    for index in range(count):
        sock = connect(port, WATCH.format(contest), index=index)
        wish = {"type": "subscribe", "channel": f"chat.{contest}"}
        sock.sendall(frame(json.dumps(wish).encode()))
        made.append(sock)
        readers.add(sock)
    return made


def enter(server: ServerProcess, contest: int, count: int) -> list[socket.socket]:
    """So many who chat."""
    made = []
    for index in range(count):
        token = server.token(f"Chatter{index}")
        path = f"/api/v69/ws/contest?automatic=false&token={token}"
        sock = connect(server.port, path, index=20_000 + index)
        join = {"type": "join_contest_room", "contestId": str(contest)}
        sock.sendall(frame(json.dumps(join).encode()))
        while b'"participant_update"' not in read_frame(sock)[1]:
            pass
        made.append(sock)
    return made


def talk(contest: int, chatters: list[socket.socket], seconds: float) -> int:
    """Everybody in turn says what time it is; how many messages that were."""
    begun, said = time.monotonic(), 0
    while (now := time.monotonic()) - begun < seconds:
        while said < (now - begun) * RATE:
            message = {"type": "send_chat_message", "contestId": str(contest)}
            message |= {"text": str(time.time_ns()), "clientId": str(said)}
            chatters[said % len(chatters)].sendall(frame(json.dumps(message).encode()))
            said += 1
        time.sleep(0.002)
    return said


async def stored(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval("SELECT count(*) FROM contest_chat_messages")
    await connection.close()
    return count


async def make(url: str) -> int:
    connection = await asyncpg.connect(url)
    contest: int = await connection.fetchval(CONTEST)
    await connection.close()
    return contest


def spectators(server: ServerProcess, contest: int) -> int:
    """How many the server counts, as a newcomer is told (who is one more)."""
    sock = connect(server.port, WATCH.format(contest), index=30_000)
    while b'"contest_state"' not in (payload := read_frame(sock)[1]):
        pass
    sock.close()
    return int(json.loads(payload)["data"]["spectatorCount"])


def run() -> None:
    quick = "--quick" in sys.argv
    watching, chatting, seconds = (500, 60, 10.0) if quick else (5000, 600, 120.0)
    with tempfile.TemporaryDirectory() as folder:
        database = EmbeddedPostgres(Path(folder))
        url = database.start()
        try:
            server = ServerProcess(MARKET_SOURCE="none")
            server.environment["DATABASE_URL"] = url
            with server:
                contest = asyncio.run(make(url))
                time.sleep(1)
                _measure(server, url, contest, watching, chatting, seconds)
        finally:
            database.stop()


def _measure(
    server: ServerProcess, url: str, contest: int, watching: int, chatting: int, seconds: float
) -> None:
    readers = Readers()
    held = spectate(server.port, contest, watching, readers)
    chatters = enter(server, contest, chatting)
    for sock in chatters:
        readers.add(sock)
    readers.begin()
    before, begun = server.cpu, time.monotonic()
    said = talk(contest, chatters, seconds)
    cpu = (server.cpu - before) / (time.monotonic() - begun)
    time.sleep(3)
    counted = spectators(server, contest)
    readers.end()
    kept = asyncio.run(stored(url))
    short = sum(count != said for count in readers.counts.values())
    quantiles = statistics.quantiles(readers.late, n=1000)
    print("| | |\n|---|---|")
    print(f"| said, stored | {said:,}, {kept:,} |")
    print(f"| readers who had other than all | {short:,} of {len(readers.counts):,} |")
    print(f"| closed | {readers.closed} |")
    print(f"| said → read, p50, p99 | {quantiles[499]:.0f}, {quantiles[989]:.0f} ms |")
    print(f"| spectators there, counted | {watching + chatting:,}, {counted:,} |")
    print(f"| the server's part of a core | {cpu:.0%} |")
    for sock in (*held, *chatters):
        sock.close()
