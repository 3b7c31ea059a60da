"""Resident memory of an idle connection: authenticated, two subscriptions.

    python -m bench idle_memory

5,000 connections to token-data without a market (its two automatic channels, nothing moves);
the figure is the growth of the server's resident set divided by the number of connections.
"""

from __future__ import annotations

import resource

from bench import sockets
from bench.process import ServerProcess

CONNECTIONS = 5000
WALLETS = 50
TARGET_KIB = 14.0


def run() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CONNECTIONS + 500)), hard))
    with ServerProcess(MARKET_SOURCE="none") as server:
        tokens = [server.token(wallet(n)) for n in range(WALLETS)]
        warm = [open_one(server, tokens, n) for n in range(200)]
        for sock in warm:
            sock.close()
        before = server.rss
        held = [open_one(server, tokens, n) for n in range(CONNECTIONS)]
        grown = (server.rss - before) / CONNECTIONS / 1024
        print(
            f"idle connection: {grown:.1f} KiB of RSS"
            f" ({CONNECTIONS:,} connections; target ≤ {TARGET_KIB})"
        )
        for sock in held:
            sock.close()


def wallet(number: int) -> str:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return "".join(alphabet[(number * 7 + at * 13) % 58] for at in range(43))


def open_one(server: ServerProcess, tokens: list[str], number: int) -> object:
    sock = sockets.connect(
        server.port, "/api/v69/ws/token-data", tokens[number % WALLETS], index=number
    )
    while b'"connection_established"' not in sockets.read_frame(sock)[1]:
        pass
    return sock
