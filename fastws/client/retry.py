"""What a close code asks of a client, and how long it waits before it comes back.

The advice is the server's own table (`fastws.errors`); a code that is not in it is judged by
its range: 4400-4499 ends the session, 4500-4599 and the unknown ask for patience.
"""

from __future__ import annotations

import random
from typing import Final

from fastws.errors import CLOSE_CODES, Action

__all__ = ["Backoff", "advice"]

_LOST: Final = frozenset({1005, 1006})
"""Ends without a code: a network that broke, a process that died."""


def advice(code: int, reason: str = "") -> Action:
    """What to do after a close with that code and reason."""
    named = [close for close in CLOSE_CODES if close.code == code]
    for close in named:
        if close.reason == reason:
            return close.action
    if named:
        return named[0].action
    if code in _LOST:
        return "reconnect"
    return "stop" if 4400 <= code <= 4499 else "reconnect_later"


class Backoff:
    """Waits that grow and are never the same for two clients. Seconds."""

    def __init__(
        self, rng: random.Random, first: float = 0.25, later: float = 5.0, longest: float = 30.0
    ) -> None:
        self._rng = rng
        self._first = first
        self._later = later
        self._longest = longest
        self.attempts = 0

    def next(self, action: Action = "reconnect") -> float:
        """Seconds to wait now: half to the whole of a step that doubles each time."""
        step = self._later if action == "reconnect_later" else self._first
        step = min(self._longest, step * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return step * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self.attempts = 0
