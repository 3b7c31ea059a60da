"""What a socket sends compressed, and what has to wait behind that. Not compiled: long texts only.

Messages keep their order. While a text is being compressed the line counts as full, so that
tables skip it and streams keep their cursors, as for any socket that takes nothing just now;
answers wait here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from fastws._core.deflate import Deflater
from fastws._core.line import COMPRESSED, Line

__all__ = ["Outbox"]

BECOMES: Final = 4
"""A long text counts as this part of its size while it waits: about what it becomes."""

TEXT: Final = 1
BINARY: Final = 2


class Outbox:
    """Between a socket that agreed on compression and its line.

    ``go_on()`` is called when the line is free again.
    """

    __slots__ = ("_deflater", "_go_on", "_line", "_messages", "held", "least")

    def __init__(self, deflater: Deflater, line: Line, go_on: Callable[[], None]) -> None:
        self._deflater = deflater
        self._line = line
        self._go_on = go_on
        self._messages: deque[tuple[bytes, bool]] | None = None
        self.held = 0  # bytes that wait here, as they will be sent; 0 if and only if nothing does
        self.least = deflater.least

    def send(self, data: bytes, binary: bool) -> None:
        """Send one message after those that wait."""
        if self._messages is None:
            if self._put(data, binary):
                return
            self._messages = deque()
            self._line.full = True
        self._messages.append((data, binary))
        self.held += self._weight(data, binary)

    def release(self) -> None:
        """What was waited for is compressed: send on."""
        if self._messages is None:
            return
        self._line.full = self._line.pending > 0
        while self._messages:
            if not self._put(*self._messages[0]):
                self._line.full = True
                return
            self.held -= self._weight(*self._messages.popleft())
        self._messages = None
        if not self._line.full:
            self._go_on()

    def let_go(self) -> None:
        """Send what waits as it is: the end has come."""
        messages, self._messages = self._messages, None
        self.held = 0
        for data, binary in messages or ():
            self._line.send(data, BINARY if binary else TEXT)

    def drop(self) -> None:
        """Send nothing any more."""
        self._messages = None
        self.held = 0

    def _weight(self, data: bytes, binary: bool) -> int:
        return len(data) if self._is_plain(data, binary) else len(data) // BECOMES

    def _is_plain(self, data: bytes, binary: bool) -> bool:
        return binary or len(data) < self.least

    def _put(self, data: bytes, binary: bool) -> bool:
        """Send a message, compressed if that pays; False if that takes a while."""
        if self._is_plain(data, binary):
            self._line.send(data, BINARY if binary else TEXT)
            return True
        packed = self._deflater.pack(data, self)
        if packed is None:
            return False
        self._line.send(packed, TEXT if packed is data else TEXT | COMPRESSED)
        return True
