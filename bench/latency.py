"""From the publication to a client's hands: 1,000 clients, ten messages a second.

Once alone, once beside 50 clients that read nothing: they must not be felt.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from bench.peers.run import Contest, python
from bench.sockets import connect, frame

CLIENTS, RATE, SIZE, STOPPED = 1000, 10, 128, 50
PATH = "/api/v69/ws/test"
SUBSCRIBE = '{"type":"subscribe","channel":"test"}'


def stopped(port: int) -> list[socket.socket]:
    """Clients that subscribe and never read again."""
    made = []
    for index in range(STOPPED):
        sock = connect(port, PATH, index=50_000 + index)
        sock.sendall(frame(SUBSCRIBE.encode()))
        made.append(sock)
    return made


def run() -> None:
    seconds = 3.0 if "--quick" in sys.argv else 30.0
    work = python("with_fastws", "same", RATE, SIZE, 0, 1)
    contest = Contest("fastws", work, CLIENTS, "same", path=PATH, messages=[SUBSCRIBE] * CLIENTS)
    print("| publish → receive | p50 ms | p99 ms | p99.9 ms | frames | faults |")
    print("|---|---|---|---|---|---|")
    with contest, contextlib.ExitStack() as stack:
        contest.work(1.0, keep=False)
        for name in ("alone", f"beside {STOPPED} that read nothing"):
            if name != "alone":
                for sock in stopped(contest.port):
                    stack.enter_context(sock)
            window = contest.work(seconds)
            told = window.told
            figures = " | ".join(f"{told[q] / 1e6:.2f}" for q in ("p50", "p99", "p999"))
            print(f"| {name} | {figures} | {told['frames']:,} | {window.faults} |", flush=True)
