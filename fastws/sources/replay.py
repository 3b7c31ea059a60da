"""A recorded exchange stream, played again at its own pace or faster.

Owns the file format: a line is ``<local nanoseconds> <json message>``, the file plain or
gzip. What the messages mean is the reader's business that it is given.
"""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

import structlog

from fastws.domain.market import FeedStatus, Market
from fastws.errors import StartError

__all__ = ["Replay", "read_lines"]

log = structlog.get_logger()

MAX_LINE: Final = 1 << 20
TURN: Final = 200
"""Messages applied before other tasks have a turn."""


def read_lines(path: Path) -> Iterator[tuple[int, bytes] | None]:
    """The lines of a recording as (nanoseconds, message); None for a line that is neither.

    One line is held at a time; one longer than 1 MiB is skipped. Raises `OSError`,
    `EOFError` or `zlib.error` where the file is damaged.
    """
    with _open(path) as file:
        while line := file.readline(MAX_LINE):
            if not line.endswith(b"\n") and len(line) == MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                yield None
                continue
            moment, _, message = line.partition(b" ")
            good = moment.isdigit() and len(moment) < 20 and message
            yield (int(moment), message) if good else None


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


class Replay:
    """The source ``replay``: gives the messages of a recording to ``receive`` in time.

    ``speed`` 1 is the recorded pace, N is N times faster, 0 as fast as it goes. ``restart`` is
    called before each turn of the file; ``loop`` plays it for ever. `StartError` when the
    file cannot be opened.
    """

    def __init__(
        self,
        market: Market,
        path: Path,
        receive: Callable[[bytes], object],
        speed: float = 1.0,
        *,
        restart: Callable[[], None] | None = None,
        loop: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            _open(path).close()
        except OSError as error:
            raise StartError(f"Cannot replay {path}: {error.strerror}.") from None
        self._feed = market.feed
        self._path = path
        self._receive = receive
        self._speed = speed
        self._restart = restart
        self._loop = loop
        self._monotonic = monotonic
        self.messages = 0
        """Messages given so far."""

    async def run(self) -> None:
        """Play the file; afterwards the feed is stale, since nothing new will come."""
        self._feed.begin("replay")
        while True:
            if self._restart is not None:
                self._restart()
            try:
                await self._play()
            except (OSError, EOFError, zlib.error) as error:
                log.error("replay.damaged", messages=self.messages, error=str(error))
                break
            if not self._loop:
                break
        self._feed.become(FeedStatus.STALE)
        log.info("replay.finished", messages=self.messages)

    async def _play(self) -> None:
        begun, first = self._monotonic(), -1
        for line in read_lines(self._path):
            if line is None:
                self._feed.malformed += 1
                continue
            moment, message = line
            first = moment if first < 0 else first
            if self._speed > 0:
                due = begun + (moment - first) / 1e9 / self._speed
                delay = due - self._monotonic()
                if delay > 0:
                    await asyncio.sleep(delay)
            self._receive(message)
            self.messages += 1
            if self.messages % TURN == 0:
                await asyncio.sleep(0)
