"""Publications between processes: who numbers them, who keeps them, who hears them.

The hub publishes here and hears everything from here, its own publications too, so that one
process on `MemoryBroker` behaves like many on a shared broker. Volatile streams are numbered
by the broker, persistent ones by PostgreSQL; the hub never numbers. Source: design.md,
"Seams"; tables.md, "Streams" and "Seams for several processes".
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from fastws.errors import Unavailable

__all__ = ["Broker", "MemoryBroker", "Position", "Publication", "StreamLog"]


class Position(NamedTuple):
    """Where a stream stands: the numbering's epoch and the offset of its last message."""

    epoch: int
    offset: int


class Publication(NamedTuple):
    """One encoded message and its place in the stream."""

    position: Position
    payload: bytes


Listener = Callable[[Publication], None]
Control = Callable[[str, bytes], None]
Owner = Callable[[bytes], Awaitable[bytes]]
Encoder = Callable[[int], bytes]


class StreamLog(Protocol):
    """What a stream needs of who numbers and keeps it. Delivery is synchronous."""

    async def publish(self, channel: str, encode: Encoder) -> Position:
        """Number a message, encode it under its offset, keep it, deliver it to all."""

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Hear a channel from now on; call the result to stop."""

    def position(self, channel: str) -> Position:
        """The last position known in this process, asking nobody: where a stream begins."""

    async def history(self, channel: str, after: int, limit: int) -> list[Publication]:
        """Kept messages with offsets above ``after``, oldest first."""

    async def tail(self, channel: str) -> Position:
        """The position of the last message."""


class Broker(StreamLog, Protocol):
    """What the hub needs of the world: streams, owners of tables, announcements."""

    def register(self, owner: str, handler: Owner) -> None:
        """Answer calls to ``owner`` (a match, a table) in this process."""

    async def call(self, owner: str, command: bytes) -> bytes:
        """Run a command where its owner lives; `Unavailable` if nobody owns it."""

    def on_control(self, control: Control) -> None:
        """Hear announcements to every process (revocations, roles, switches)."""

    async def announce(self, name: str, payload: bytes) -> None:
        """Tell every process, this one too."""


class _Log:
    __slots__ = ("kept", "listeners", "offset")

    def __init__(self, keep: int) -> None:
        self.offset = 0
        self.kept: deque[Publication] = deque(maxlen=keep)
        self.listeners: list[Listener] = []


class MemoryBroker:
    """The broker of a single process: bounded history, nothing survives the process."""

    def __init__(self, keep: int, clock: Callable[[], float] = time.time) -> None:
        self._keep = keep
        self._logs: dict[str, _Log] = {}
        self._owners: dict[str, Owner] = {}
        self._controls: list[Control] = []
        # A restarted process starts a new numbering; clients must be able to tell.
        self.epoch = int(clock() * 1000)

    def _log(self, channel: str) -> _Log:
        found = self._logs.get(channel)
        if found is None:
            found = self._logs[channel] = _Log(self._keep)
        return found

    async def publish(self, channel: str, encode: Encoder) -> Position:
        """See `Broker.publish`; local listeners have heard it when this returns."""
        log = self._log(channel)
        log.offset += 1
        publication = Publication(Position(self.epoch, log.offset), encode(log.offset))
        log.kept.append(publication)
        for listener in tuple(log.listeners):
            listener(publication)
        return publication.position

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """See `Broker.listen`."""
        log = self._log(channel)
        log.listeners.append(listener)

        def stop() -> None:
            log.listeners.remove(listener)
            if not log.listeners and not log.offset:  # nothing was said: nothing to remember
                self._logs.pop(channel, None)

        return stop

    def position(self, channel: str) -> Position:
        """See `Broker.position`."""
        return Position(self.epoch, self._log(channel).offset)

    async def history(self, channel: str, after: int, limit: int) -> list[Publication]:
        """See `Broker.history`."""
        found = [item for item in self._log(channel).kept if item.position.offset > after]
        return found[:limit]

    async def tail(self, channel: str) -> Position:
        """See `Broker.tail`."""
        return self.position(channel)

    def register(self, owner: str, handler: Owner) -> None:
        """See `Broker.register`."""
        self._owners[owner] = handler

    async def call(self, owner: str, command: bytes) -> bytes:
        """See `Broker.call`."""
        handler = self._owners.get(owner)
        if handler is None:
            raise Unavailable(f"nobody owns {owner}")
        return await handler(command)

    def on_control(self, control: Control) -> None:
        """See `Broker.on_control`."""
        self._controls.append(control)

    async def announce(self, name: str, payload: bytes) -> None:
        """See `Broker.announce`."""
        for control in tuple(self._controls):
            control(name, payload)
