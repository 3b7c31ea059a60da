"""Why the socket and the making of messages are compiled: they run once per frame."""

from __future__ import annotations

import asyncio
from typing import Any

from fastws._core.messages import Messages
from tests.core import oracle
from tests.core.wire import Wired, masked

HEARTBEAT = b'{"type":"heartbeat"}'
ROUND = 1000


def test_a_message_of_one_frame(benchmark: Any) -> None:
    benchmark(Messages(65_536).feed, 1, True, False, HEARTBEAT)


def test_a_message_of_one_frame_in_the_twin(benchmark: Any) -> None:
    benchmark(oracle.Messages(65_536, 64).feed, 1, True, False, HEARTBEAT)


def test_a_thousand_frames_from_bytes_to_the_connection(benchmark: Any) -> None:
    async def run() -> None:
        wired = Wired()
        data = masked(0x81, HEARTBEAT) * ROUND

        def read() -> None:
            wired.messages.clear()
            wired.feed(data)
            assert len(wired.messages) == ROUND

        benchmark(read)
        wired.socket.abort()
        await wired.gone.wait()

    asyncio.run(run())


def test_sending_to_a_transport(benchmark: Any) -> None:
    """Without the system call, which costs ten times as much."""

    async def run() -> None:
        wired = Wired()

        def write() -> None:
            wired.socket.send(HEARTBEAT)
            wired.transport.written.clear()

        benchmark(write)
        wired.socket.abort()
        await wired.gone.wait()

    asyncio.run(run())
