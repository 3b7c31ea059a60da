"""What compressing the list of all tokens costs: once in a thread, and the loop next to nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import uvloop

from fastws._core.deflate import LEVEL, deflate
from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market
from fastws.sources.simulated import Simulated
from tests.gateway.edge import handshake
from tests.gateway.test_deflate import OFFER, compressing

CLIENTS = 50

READERS = """
import selectors, socket, sys
port, count, request, wanted = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
chosen = selectors.DefaultSelector()
for _ in range(count):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(bytes.fromhex(request))
    while not one.recv(65536).endswith(b"\\r\\n\\r\\n"): pass
    chosen.register(one, selectors.EVENT_READ, [0])
print("ready", flush=True)
done = 0
while done < count:
    for key, _ in chosen.select():
        key.data[0] += len(key.fileobj.recv(1 << 20))
        if key.data[0] >= wanted:
            chosen.unregister(key.fileobj)
            done += 1
print("done", flush=True)
sys.stdin.read()
"""


def token_list() -> bytes:
    """The list of 2,000 simulated tokens as older clients get it."""
    table = Table("tokens", COLUMNS, epoch=1)
    market = Market(table, time.time)
    source = Simulated(market, 2000)
    source.start()
    for _ in range(50):
        source.step()
    table.seal(time.time())
    frame = market.list_view("token_update", "public.tokens")(0)
    assert frame is not None
    return frame


def test_the_list(benchmark: Any) -> None:
    frame = token_list()
    packed = benchmark(deflate, frame)
    benchmark.extra_info.update(level=LEVEL, bytes=len(frame), compressed=len(packed))


def test_a_text_on_the_spot(benchmark: Any) -> None:
    """The longest that is compressed without a thread."""
    benchmark(deflate, token_list()[:16_384])


def test_longest_turn_of_the_loop(benchmark: Any) -> None:
    """While a list is compressed and sent to 50 clients, for each of several lists.

    Milliseconds of CPU of the loop's own thread, and by the clock: with more processes than
    cores the kernel takes its core away now and then.
    """
    frame = token_list()
    turns = benchmark.pedantic(lambda: uvloop.run(_longest_turns(frame)), rounds=1)
    for name, values in zip(("cpu", "clock"), zip(*turns, strict=True), strict=True):
        benchmark.extra_info[name] = sorted(round(turn * 1e3, 2) for turn in values)


async def _longest_turns(frame: bytes, times: int = 9) -> list[tuple[float, float]]:
    found = []
    async with compressing(address_burst=10_000, address_connections=10_000) as made:
        request = handshake(**{"Sec-WebSocket-Extensions": OFFER}).hex()
        made.door.endpoint.handle = None  # type: ignore[assignment,method-assign] # nobody speaks
        for _ in range(times):
            made.door.connections.clear()
            wanted = len(deflate(frame))
            command = [sys.executable, "-c", READERS]
            child = await asyncio.create_subprocess_exec(
                *command, str(made.gateway.port), str(CLIENTS), request, str(wanted),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert child.stdout is not None
            assert await child.stdout.readline() == b"ready\n"
            found.append(await _turn(made.door.connections, bytes(memoryview(frame)), child))
            child.kill()
            await child.wait()
    return found


async def _turn(
    connections: list[Any], frame: bytes, child: asyncio.subprocess.Process
) -> tuple[float, float]:
    """The longest turn of the loop from the first push until everybody has the list."""
    assert len(connections) == CLIENTS
    loop, going = asyncio.get_running_loop(), True
    longest, last = (0.0, 0.0), (time.thread_time(), time.perf_counter())

    def watch() -> None:
        nonlocal longest, last
        now = time.thread_time(), time.perf_counter()
        longest = max(longest[0], now[0] - last[0]), max(longest[1], now[1] - last[1])
        last = now
        if going:
            loop.call_soon(watch)

    watch()
    for number, conn in enumerate(connections):
        conn.push(frame)
        if number % 50 == 49:
            await asyncio.sleep(0)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"done\n"
    going = False
    return longest
