"""What the servers of the comparison share: the work, and who says when to work."""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from collections.abc import Callable

TOKENS = 2000
STEP = 37
"""Rows of a client are this far apart: prime to ``TOKENS`` and to the share that changes."""


class Work:
    """The command line of a peer: ``KIND RATE SIZE ROWS EVERY``.

    ``same``: one message of SIZE bytes to all, RATE times a second. ``rows``: each of the
    tokens of which one in EVERY changes is published to those who follow it, ROWS a client.
    """

    def __init__(self, argv: list[str] | None = None) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("kind", choices=["same", "rows"])
        parser.add_argument("rate", type=float)
        parser.add_argument("size", type=int)
        parser.add_argument("rows", type=int)
        parser.add_argument("every", type=int)
        read = parser.parse_args(argv)
        self.kind, self.rate, self.size = read.kind, read.rate, read.size
        self.rows, self.every = read.rows, read.every
        self.seq = 0
        self.going = False
        signal.signal(signal.SIGUSR2, self._signalled)
        signal.signal(signal.SIGHUP, self._signalled)

    def _signalled(self, number: int, _frame: object) -> None:
        self.going = number == signal.SIGUSR2

    def message(self) -> str:
        """The next message for everybody."""
        self.seq += 1
        head = f'{{"seq":{self.seq:09d},"at":{time.monotonic_ns():016d},"x":"'
        return head + "x" * (self.size - len(head) - 2) + '"}'

    def changed(self) -> list[tuple[int, str]]:
        """The tokens that change in the next tick, each with its message."""
        self.seq += 1
        head = f'{{"seq":{self.seq:09d},"at":{time.monotonic_ns():016d}'
        first = self.seq % self.every
        return [
            (token, f'{head},"i":{token},"p":{100000000 + self.seq}}}')
            for token in range(first, TOKENS, self.every)
        ]

    async def ticks(self, each: Callable[[], None]) -> None:
        """Call ``each`` at the rate, as long as it goes; what cannot be done in time is late."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + 1 / self.rate, loop.time() - 1.0)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self.going:
                each()


def rows_of(client: int, rows: int) -> list[int]:
    """The tokens a client follows."""
    return [(client * 7 + k * STEP) % TOKENS for k in range(rows)]
