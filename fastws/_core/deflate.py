"""Large texts compressed once for everybody who is sent them (RFC 7692 section 7.2.1).

A compressed message forgets its window, so the same bytes serve every client that agreed on
permessage-deflate. What takes longer than a glance is compressed in a thread; whoever asked for
it waits and is released when it is there. Knows no sockets and no meaning of what it compresses.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Deflater", "Waiter", "deflate"]

LEAST: Final = 4096
"""Bytes below which a text is sent as it is."""

AT_ONCE: Final = 16_384
"""Bytes of the longest text that is compressed on the spot: about 0.1 ms."""

QUEUE: Final = 4
"""Texts that may wait for the thread; what comes then is sent as it is."""

KEPT_BYTES: Final = 4_194_304
"""Bytes of texts kept for those who are sent them later."""

LEVEL: Final = 3
"""Of zlib: half the time of its default, for a tenth more bytes."""

SLICE_SECONDS: Final = 0.0005
"""Seconds for which those who wait are served before the loop gets its turn."""

TAIL: Final = b"\0\0\xff\xff"

log = logging.getLogger("fastws.deflate")


class Waiter(Protocol):
    """Who waits for a text to be compressed."""

    def release(self) -> None:
        """It is: ask again."""


class _Text:
    """A text, what became of it (None: not yet), and who waits for that."""

    __slots__ = ("data", "packed", "waiters")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.packed: bytes | None = None
        self.waiters: deque[Waiter] = deque()


class Deflater:
    """Shared by the sockets of a process; to be used from its loop only.

    ``compressions`` counts what was compressed, ``sent`` how often that was sent, ``plain`` how
    often a large text was sent as it is, ``saved`` the bytes that did not have to be sent.
    """

    least = LEAST

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._texts: OrderedDict[int, _Text] = OrderedDict()  # by identity, oldest use first
        self._size = 0  # bytes of these texts
        self._queue: deque[_Text] = deque()
        self._running = False
        self._released: deque[_Text] = deque()
        self._serving = False
        self.compressions = 0
        self.sent = 0
        self.plain = 0
        self.saved = 0

    def pack(self, data: bytes, waiter: Waiter) -> bytes | None:
        """The compressed form of ``data``; ``data`` itself where that is better sent as it is.

        None: it takes a while, and ``waiter.release()`` is called when it is there.
        """
        text = self._texts.get(id(data))
        if text is None:
            if len(data) > AT_ONCE and len(self._queue) >= QUEUE:
                self.plain += 1
                return data
            text = self._add(data)
            if len(data) <= AT_ONCE:
                self._done(text, deflate(data))
            else:
                self._queue.append(text)
                self._next()
        else:
            self._texts.move_to_end(id(data))
        if text.packed is None:
            text.waiters.append(waiter)
            return None
        if text.packed is data:
            self.plain += 1
        else:
            self.sent += 1
            self.saved += len(data) - len(text.packed)
        return text.packed

    def _add(self, data: bytes) -> _Text:
        text = self._texts[id(data)] = _Text(data)  # it holds the data: no other has its id
        self._size += len(data)
        if self._size > KEPT_BYTES:
            for key, old in tuple(self._texts.items()):
                if old.packed is not None and not old.waiters and self._size > KEPT_BYTES:
                    self._size -= len(old.data)
                    del self._texts[key]
        return text

    def _next(self) -> None:
        """Give the thread something to do, one at a time: the loop needs its core."""
        if self._running or not self._queue:
            return
        self._running = True
        text = self._queue.popleft()
        future = asyncio.get_running_loop().run_in_executor(None, deflate, text.data)
        future.add_done_callback(lambda future: self._finish(text, future))

    def _finish(self, text: _Text, future: asyncio.Future[bytes]) -> None:
        self._running = False
        if future.cancelled():  # the loop ends
            return
        fault = future.exception()
        if fault is not None:
            log.error("A text could not be compressed", exc_info=fault)
        self._done(text, text.data if fault is not None else future.result())
        self._released.append(text)
        self._next()
        if not self._serving:
            self._serve()

    def _done(self, text: _Text, packed: bytes) -> None:
        self.compressions += 1
        text.packed = packed if len(packed) < len(text.data) else text.data

    def _serve(self) -> None:
        """Release those who wait, a slice at a time."""
        self._serving = False
        until = self._clock() + SLICE_SECONDS
        while self._released:
            waiters = self._released[0].waiters
            while waiters:
                if self._clock() >= until:
                    self._serving = True
                    asyncio.get_running_loop().call_soon(self._serve)
                    return
                try:
                    waiters.popleft().release()
                except Exception:  # its fault is not that of the others
                    log.exception("A socket could not be released")
            self._released.popleft()


def deflate(data: bytes) -> bytes:
    """The payload of a compressed message, which forgets its window."""
    made = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(TAIL)
