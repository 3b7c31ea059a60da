"""2,000 clients of which 4 % read at a twentieth of the speed and 1 % not at all.

Whoever reads or says something must not be closed, must not be felt by others, must cost the
server a bounded amount, and must hold what the server holds once he reads again.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import statistics
import sys
import time
import urllib.request
from pathlib import Path

from bench.peers.compare import FASTWS_PATH, tokens
from bench.peers.run import Contest
from bench.peers.ticking import TOKENS
from bench.sockets import connect, frame, read_frame
from fastws.client.followed import Followed

HEALTHY, SLOW, STOPPED = 1900, 80, 20
PATH = f"{FASTWS_PATH}/token-data?automatic=false"
CHANNEL = "public.tokens"
BUFFER = 4096
"""Bytes of a slow client's receive buffer: what it does not read waits on the server's side."""

READ_BYTES, READ_SECONDS = 600, 0.5
"""What a slow client reads: a twentieth of the 24 KB a second that the whole list is."""

BEAT_SECONDS = 20.0


class Slow:
    """A client of the whole list that reads little; what it gets is kept and decoded at the end."""

    def __init__(self, port: int, index: int) -> None:
        self.sock = connect(port, PATH, index=60_000 + index)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        wish = {"type": "subscribe", "channel": CHANNEL, "format": "binary"}
        self.sock.sendall(frame(json.dumps(wish).encode()))
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        self.read = bytearray()
        self.closed = False
        self.followed = Followed()

    def take(self, most: int) -> int:
        """Read at most so many bytes; how many there were."""
        try:
            part = self.sock.recv(most)
        except BlockingIOError:
            return 0
        self.closed |= not part
        self.read += part
        return len(part)

    def beat(self) -> None:
        """Say that it lives."""
        self.sock.send(frame(b'{"type":"heartbeat"}'))

    def decode(self) -> None:
        """Take in every whole frame that was read."""
        while (found := whole(self.read)) is not None:
            opcode, payload, size = found
            del self.read[:size]
            if opcode == 2:
                list(self.followed.binary(payload))
            elif b'"columns"' in payload[:4000]:
                self.followed.confirmed(json.loads(payload))

    @property
    def tick(self) -> int:
        """The tick it was told last."""
        return self.followed[CHANNEL].tick if CHANNEL in self.followed else 0

    @property
    def whole(self) -> bool:
        """Whether it was told every row."""
        return self.tick > 0 and not self.followed[CHANNEL].partial


def whole(data: bytearray) -> tuple[int, bytes, int] | None:
    """Opcode, payload and length of the first frame, if it is all there."""
    if len(data) < 2:
        return None
    size, head = data[1] & 0x7F, 2
    if size > 125:
        head = 4 if size == 126 else 10
        size = int.from_bytes(data[2:head], "big")
    if len(data) < head + size:
        return None
    return data[0] & 0x0F, bytes(data[head : head + size]), head + size


def unsent(port: int) -> dict[int, int]:
    """Bytes in the kernel's queues of the server's sockets, by the client's port."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, _, queues, *_ = line.split()
        if int(here.partition(":")[2], 16) == port:
            found[int(there.partition(":")[2], 16)] = int(queues.partition(":")[0], 16)
    return found


def pending(contest: Contest) -> int:
    """Bytes in the server's own buffers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{contest.port}/metrics") as answer:
        text = answer.read().decode()
    return sum(int(float(n)) for n in re.findall(r"^fastws_pending_bytes\S* (\S+)$", text, re.M))


def answers(contest: Contest, seconds: float, slow: list[Slow], mute: list[Slow]) -> list[float]:
    """Seconds between a ping and its answer while the market moves and others dawdle."""
    probe = connect(contest.port, PATH, index=59_999)
    taken, begun = [], time.monotonic()
    read_at = beat_at = begun
    while (now := time.monotonic()) - begun < seconds:
        asked = time.perf_counter()
        probe.sendall(frame(b'{"type":"ping"}'))
        while b'"pong"' not in read_frame(probe)[1]:
            pass
        taken.append(time.perf_counter() - asked)
        if now - read_at >= READ_SECONDS:
            read_at = now
            for one in slow:
                one.take(READ_BYTES)
        if now - beat_at >= BEAT_SECONDS:
            beat_at = now
            for one in mute:
                one.beat()
        time.sleep(0.01)
    probe.close()
    return taken


def catch_up(everybody: list[Slow], witness: Slow, seconds: float) -> None:
    """All read as fast as they can until they are whole and where ``witness``, one of them, is."""
    chooser = selectors.DefaultSelector()
    for one in everybody:
        # A peer that met a closed window asks again after up to a minute; this says it sooner.
        one.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        chooser.register(one.sock, selectors.EVENT_READ, one)
    until = time.monotonic() + seconds
    behind, beat_at = set(everybody), 0.0
    while (now := time.monotonic()) < until and behind:
        if now - beat_at >= BEAT_SECONDS:
            beat_at = now
            for one in behind:
                one.beat()
        for key, _ in chooser.select(0.5):
            one = key.data
            one.take(65536)
            one.decode()
            if one.closed:
                chooser.unregister(one.sock)
                behind.discard(one)
        if witness.whole:
            behind -= {one for one in behind if one.whole and one.tick >= witness.tick}


def run() -> None:
    seconds = 10.0 if "--quick" in sys.argv else 120.0
    (contest,) = (one for one in tokens(50, 5, HEALTHY) if one.name == "fastws")
    with contest:
        contest.begin()
        alone = answers(contest, seconds / 4, [], [])
        everybody = [Slow(contest.port, index) for index in range(SLOW + STOPPED)]
        slow, mute = everybody[:SLOW], everybody[SLOW:]
        contest.mark()
        beside = answers(contest, seconds, slow, mute)
        queues = unsent(contest.port)
        held = max(queues.get(one.port, 0) for one in everybody)
        ours = pending(contest)
        contest.end()
        told = contest.mark()
        witness = Slow(contest.port, SLOW + STOPPED)
        catch_up([*everybody, witness], witness, 120.0)
        truth = witness.followed[CHANNEL].by_key()
        same = sum(one.tick and one.followed[CHANNEL].by_key() == truth for one in everybody)
        closed = sum(one.closed for one in everybody)
    assert len(truth) == TOKENS
    p99 = [statistics.quantiles(times, n=100)[98] * 1000 for times in (alone, beside)]
    faults = told["disorder"] + told["wrong"] + told["closed"]
    print("| | |\n|---|---|")
    print(f"| slow or silent clients closed | {closed} of {len(everybody)} |")
    print(f"| most bytes held for one of them by the kernel | {held:,} |")
    print(f"| bytes in the server's own buffers, all clients | {ours:,} |")
    print(f"| answers to a healthy client, p99 | {p99[0]:.2f} ms alone, {p99[1]:.2f} ms beside |")
    print(f"| frames to {HEALTHY:,} healthy ones, faults | {told['frames']:,}, {faults} |")
    print(f"| equal to the server after reading again | {same} of {len(everybody)} |")
