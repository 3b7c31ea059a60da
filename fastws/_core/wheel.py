"""The pings of all sockets of a worker, on one timer. Not compiled: it runs once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Watched", "Wheel"]


class Watched(Protocol):
    """What the wheel looks at."""

    def look(self, now: float) -> float:
        """Do what is due; the time at which to look again, 0 for never."""


class Wheel:
    """Looks at each socket when its time may have come, not before.

    A socket from which nothing came for ``idle`` seconds is pinged; if within ``timeout`` more
    it sends no frame and takes no byte of ours, it is closed with 1008. ``turn`` is to be
    called about once a second; ``clock`` is monotonic seconds.
    """

    def __init__(
        self, idle: float, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not (idle > 0 and timeout > 0):
            raise ValueError("idle and timeout must be positive")
        self.idle = idle
        self.timeout = timeout
        self.clock = clock
        self.closed = 0
        """Sockets closed because nothing was heard of them."""
        # A slot holds the sockets of one second; a socket is in one slot.
        self._slots: list[set[Watched]] = [set() for _ in range(int(max(idle, timeout)) + 3)]
        self._slot_of: dict[Watched, set[Watched]] = {}
        self._turned = int(clock())

    def __len__(self) -> int:
        return len(self._slot_of)

    def put(self, socket: Watched, due: float) -> None:
        """Look at ``socket`` at ``due``, or at once round if that is further away."""
        # never into the second being turned: it would be looked at for ever
        second = max(int(due) + 1, self._turned + 1)
        second = min(second, self._turned + len(self._slots) - 1)
        self.drop(socket)
        slot = self._slots[second % len(self._slots)]
        slot.add(socket)
        self._slot_of[socket] = slot

    def drop(self, socket: Watched) -> None:
        """Forget a socket; harmless when it is not known."""
        slot = self._slot_of.pop(socket, None)
        if slot is not None:
            slot.discard(socket)

    def turn(self) -> None:
        """Look at every socket whose second has come."""
        now = self.clock()
        until = int(now)
        # the loop may have slept: once round is enough
        self._turned = max(self._turned, until - len(self._slots))
        while self._turned < until:
            self._turned += 1
            for socket in tuple(self._slots[self._turned % len(self._slots)]):
                self.drop(socket)
                due = socket.look(now)
                if due > 0:
                    self.put(socket, due)
