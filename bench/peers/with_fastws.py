"""The whole fastws server with its own database, and something to publish at a steady rate.

``same`` is a stream (``test``, on the test endpoint). ``rows`` are the tokens of token-data,
followed as binary tables; the tables are sealed once a tick. Everything is as ``fastws serve``
does it but for the profile, which raises limits of connections, and for the history and the
alerts, which the others have not: what they cost is the price's, not the client's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time

from bench.peers.ticking import TOKENS, Work
from fastws import config, logs, wire
from fastws.development import with_development_secrets
from fastws.domain.market.tokens import FIGURES, Token
from fastws.server import demo
from fastws.server.life import Server
from fastws.server.process import with_database


def key_of(token: int) -> str:
    """The address of a token of this bench: as long as a real one."""
    return f"Bench{token:039d}"


async def live(url: str, work: Work, settings: config.Config) -> None:
    server = Server(settings, url)
    await server.start()
    await demo.seed(server.rooms.database)
    stream = server.rooms.hub.stream("test/test")
    pending: set[asyncio.Task[object]] = set()

    def publish() -> None:
        work.seq += 1
        fields = {"seq": work.seq, "at": time.monotonic_ns(), "x": ""}
        around = wire.encode(
            "b", {**fields, "offset": stream.offset + 1}, time.time(), channel="test"
        )
        fields["x"] = "x" * (work.size - len(around))
        task = asyncio.ensure_future(stream.publish("b", fields))
        pending.add(task)
        task.add_done_callback(pending.discard)

    market = server.rooms.market
    rows = []
    if work.kind == "rows":
        for token in range(TOKENS):
            key = key_of(token)
            market.upsert(Token(address=key, symbol=f"B{token}"))
            rows.append(market.know(key, ["price"]))
    price = FIGURES.index("price")

    def write() -> None:
        work.seq += 1
        value = 10_000_000 + work.seq * 31 % 9973
        for token in range(work.seq % work.every, TOKENS, work.every):
            market.table.set_decimal(rows[token], price, value + token, 8)

    for wallet in (demo.USER, demo.ADMIN):
        token = await demo.token_for(wallet, server.rooms.authority, server.rooms.tokens)
        print("token", token, flush=True)
    print("port", server.port, flush=True)
    await work.ticks(publish if work.kind == "same" else write)


def main() -> None:
    work = Work()
    with tempfile.TemporaryDirectory(prefix="fastws-bench-") as folder:
        os.environ |= {
            "FASTWS_ENVIRONMENT": "development",
            "FASTWS_PROFILE": "loadtest",
            "FASTWS_DATA_DIR": f"{folder}/data",
            "FASTWS_LOG_LEVEL": "warning",
            "FASTWS_SERVER_PORT": "0",
            "FASTWS_MARKET_SOURCE": "none",
            "FASTWS_MARKET_ALERTS": "false",
            "FASTWS_CANDLES_ENABLED": "false",
            "FASTWS_MARKET_FLUSH_MS": str(round(1000 / work.rate)),
        }
        settings = with_development_secrets(config.load())
        logs.configure(settings.log, production=False, secrets=[settings.auth.jwt_secret])
        with_database(settings, lambda url: live(url, work, settings))


main()
