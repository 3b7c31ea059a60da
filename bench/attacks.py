"""What a healthy client feels while another attacks, and what the server holds.

    python -m bench attacks

Each attack runs in a process of its own against one server. Quiet and attacked spells
alternate (``PAIRS`` of each); the figure is the ratio of the medians of a healthy client's
ping, and the growth of the server's resident set. The profile is *not* ``loadtest``: the
limits are what is measured.
"""

from __future__ import annotations

import json
import resource
import socket
import statistics
import subprocess
import sys
import time

from bench import sockets
from bench.process import ServerProcess

PAIRS = 10
SPELL_SECONDS = 0.5
PATH = "/api/v69/ws/test"
TARGET = 1.2
DESCRIPTORS = 256


def run() -> None:
    settings = {
        "PROFILE": "",
        "GATEWAY_ADDRESS_CONNECTIONS": "100000",
        "GATEWAY_ADDRESS_RATE": "100000",
        "GATEWAY_ADDRESS_BURST": "100000",
        "LIMITS_FRAMES_PER_SECOND": "2000",
        "ENDPOINTS_TEST_MESSAGES_PER_MINUTE": "1000000",
    }
    with ServerProcess("--demo", **settings) as server:
        for name in ATTACKS:
            if name == "descriptors":  # the last: from here on there are no more
                limits = (DESCRIPTORS, DESCRIPTORS)
                resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
            ratio, quiet, grown = measure(server, name)
            print(
                f"{name:22} ping {quiet * 1e6:6.0f} µs quiet, x {ratio:4.2f} attacked"
                f" (target ≤ {TARGET}), server {grown / 2**20:+.1f} MiB",
                flush=True,
            )


def measure(server: ServerProcess, name: str) -> tuple[float, float, float]:
    healthy = sockets.connect(server.port, PATH, index=60000)
    quiet, loud = [], []
    before = server.rss
    for _ in range(PAIRS):
        quiet += pings(healthy)
        attacker = subprocess.Popen(
            [sys.executable, "-m", "bench.attacks", name, str(server.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert attacker.stdout is not None
        attacker.stdout.readline()  # it is under way
        loud += pings(healthy)
        attacker.kill()
        attacker.wait()
    healthy.close()
    return (
        statistics.median(loud) / statistics.median(quiet),
        statistics.median(quiet),
        server.rss - before,
    )


def pings(sock: socket.socket) -> list[float]:
    """Round trips of `ping` messages for one spell, in seconds."""
    out = []
    until = time.perf_counter() + SPELL_SECONDS
    number = 0
    while time.perf_counter() < until:
        number += 1
        message = sockets.frame(json.dumps({"type": "ping", "id": number}).encode())
        begun = time.perf_counter()
        sock.sendall(message)
        while True:
            _, payload = sockets.read_frame(sock)
            if b'"pong"' in payload:
                break
        out.append(time.perf_counter() - begun)
        time.sleep(0.002)
    return out


def tiny_frames(port: int) -> None:
    again(port, sockets.frame(b"") * 10_000)


def ping_flood(port: int) -> None:
    again(port, sockets.frame(b"x" * 125, opcode=9) * 1000)


def slow_readers(port: int) -> None:
    held = [sockets.connect(port, "/api/v69/ws/token-data", index=n) for n in range(50)]
    print("on", flush=True)
    sys.stdin.read()
    del held


def dripped_heads(port: int) -> None:
    drip(port, b"GET /api/v69/ws/test HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 4000, upgraded=False)


def dripped_frames(port: int) -> None:
    drip(port, sockets.frame(b"x" * 4000), upgraded=True)


def subscribes(port: int) -> None:
    messages = b"".join(
        sockets.frame(json.dumps({"type": "subscribe", "channel": f"token.X{n}"}).encode())
        for n in range(10_000)
    )
    again(port, messages, path="/api/v69/ws/token-data")


def giant_frames(port: int) -> None:
    again(port, sockets.frame(b"x" * 8_000_000)[: 1 << 20])


def fragments(port: int) -> None:
    again(port, sockets.frame(b"x", fin=False) + sockets.frame(b"x", 0, fin=False) * 10_000)


def descriptors(port: int) -> None:
    """A thousand connects, again and again, at a server that has room for two hundred."""
    while True:
        held = []
        for index in range(1000):
            sock = socket.socket()
            sock.bind((sockets.address_of(index), 0))
            sock.connect(("127.0.0.1", port))
            held.append(sock)
        print("on", flush=True)
        time.sleep(0.2)
        for sock in held:
            sock.close()


ATTACKS = {
    "tiny_frames": tiny_frames,
    "ping_flood": ping_flood,
    "slow_readers": slow_readers,
    "dripped_heads": dripped_heads,
    "dripped_frames": dripped_frames,
    "subscribes": subscribes,
    "giant_frames": giant_frames,
    "fragments": fragments,
    "descriptors": descriptors,
}


def again(port: int, data: bytes, path: str = PATH) -> None:
    """Connect and send ``data`` without reading, over and over, a little after each close."""
    index = 0
    while True:
        index += 1
        sock = sockets.connect(port, path, index=index % 20_000)
        if index == 1:
            print("on", flush=True)
        sock.settimeout(2)
        try:
            while True:
                sock.sendall(data)
        except OSError:
            time.sleep(0.02)
        finally:
            sock.close()


def drip(port: int, data: bytes, *, upgraded: bool) -> None:
    """Two hundred connections that each send a byte now and then."""
    held = []
    for index in range(200):
        if upgraded:
            held.append(sockets.connect(port, PATH, index=index))
        else:
            sock = socket.socket()
            sock.bind((sockets.address_of(index), 0))
            sock.connect(("127.0.0.1", port))
            held.append(sock)
    print("on", flush=True)
    for at in range(len(data)):
        for sock in held:
            try:
                sock.send(data[at : at + 1])
            except OSError:
                continue
        time.sleep(0.05)


if __name__ == "__main__":
    ATTACKS[sys.argv[1]](int(sys.argv[2]))
