"""Reading along: a copy of what connections send and get, for an administrator, for a while.

The watcher gets text without secrets, cut; of binary frames their size. What his socket does not
take is dropped and counted: nobody who is watched waits for who watches.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

from fastws.connection.connection import Connection
from fastws.errors import WireError
from fastws.logs import redact
from fastws.wire import Reply

__all__ = ["LONGEST_SECONDS", "Traces"]

LONGEST_SECONDS: Final = 300
SHOWN: Final = 2000
"""Characters of a frame that are shown."""

MOST: Final = 4
"""Traces of one watcher."""

TEXT: Final = 1


class _Trace:
    def __init__(self, number: int, watcher: Connection, watched: list[Connection]) -> None:
        self.number = number
        self.watcher = watcher
        self.watched = watched
        self.frames = self.dropped = 0

    def copy(self, conn: Connection, direction: str) -> Callable[[bytes, int], None]:
        """What gets each frame of a connection in one direction."""

        def tap(payload: bytes, opcode: int) -> None:
            if not self.watcher.writable:
                self.dropped += 1
                return
            self.frames += 1
            fields: dict[str, Any] = {"direction": direction, "bytes": len(payload)}
            if opcode == TEXT:
                fields["text"] = redact(payload[: 2 * SHOWN].decode("utf-8", "replace"))[:SHOWN]
            self.watcher.tell(Reply("trace_frame", trace=self.number, connection=conn.id, **fields))

        return tap


class Traces:
    """Who reads along now."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._running: dict[int, _Trace] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, watcher: Connection, watched: list[Connection], seconds: float) -> int:
        """Begin; the number of the trace. `WireError` ``TOO_MANY_TRACES``."""
        if any(conn.tap is not None for conn in watched):
            raise WireError("TOO_MANY_TRACES", "Somebody reads along there already")
        mine = [trace for trace in self._running.values() if trace.watcher is watcher]
        if len(mine) >= MOST:
            raise WireError("TOO_MANY_TRACES", f"At most {MOST} at once")
        trace = _Trace(next(self._numbers), watcher, watched)
        for conn in watched:
            conn.tap = trace.copy(conn, "in")
            conn.line.tap = trace.copy(conn, "out")
        self._running[trace.number] = trace
        asyncio.get_running_loop().call_later(seconds, self._end, trace.number)
        return trace.number

    def stop(self, watcher: Connection, number: int) -> None:
        """End one of the watcher's; `WireError` ``TRACE_NOT_FOUND``."""
        trace = self._running.get(number)
        if trace is None or trace.watcher is not watcher:
            raise WireError("TRACE_NOT_FOUND", f"There is no trace {number} of yours")
        self._end(number)

    def gone(self, watcher: Connection) -> None:
        """The watcher is gone: so are his traces."""
        for number in [one.number for one in self._running.values() if one.watcher is watcher]:
            self._end(number)

    def _end(self, number: int) -> None:
        trace = self._running.pop(number, None)
        if trace is None:
            return
        for conn in trace.watched:
            conn.tap = None
            conn.line.tap = None
        counts = {"frames": trace.frames, "dropped": trace.dropped}
        trace.watcher.tell(Reply("trace_ended", trace=number, **counts))
