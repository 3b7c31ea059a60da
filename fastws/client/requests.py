"""Requests that wait for their reply, found by the ``id`` that the reply echoes."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from fastws.client.failures import Closed, ErrorReply

__all__ = ["Requests"]


class Requests:
    """The open requests of one client."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._open: dict[int, tuple[asyncio.Future[dict[str, Any]], str | None]] = {}

    def begin(self, expect: str | None) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        """A new id and its answer; ``expect`` names the reply's type if there are several."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[number] = (answer, expect)
        return number, answer

    def end(self, number: int) -> None:
        """Nobody waits for that answer any more."""
        del self._open[number]

    def take(self, frame: dict[str, Any]) -> bool:
        """Whether the frame is the reply that a request waits for."""
        number = frame.get("id")
        if not isinstance(number, int):
            return False
        answer, expected = self._open.get(number, (None, None))
        if answer is None or answer.done():
            return False
        if frame.get("type") == "error":
            answer.set_exception(ErrorReply(frame))
        elif expected is None or frame.get("type") == expected:
            answer.set_result(frame)
        else:
            return False
        return True

    def fail(self, closed: Closed) -> None:
        """The connection is lost: no answer will come."""
        for answer, _ in self._open.values():
            if not answer.done():
                answer.set_exception(closed)
