"""A view: the JSON frames that older clients get of a table, newest state only.

``encode(since)`` gives the frame of what changed after tick ``since``, or None. It is called
once per base and flush, whatever the number of subscribers. A full socket is skipped; its
base stays, so the next frame it gets makes it whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from fastws.errors import Code, WireError
from fastws.hub.channel import Channel, Subscriber, Subscription
from fastws.wire import Since

__all__ = ["Sealable", "View", "ViewSubscription"]

Encode = Callable[[int], bytes | None]


class Sealable(Protocol):
    """What a view needs of a table."""

    @property
    def epoch(self) -> int:
        """Number of the owner's lease."""

    @property
    def tick(self) -> int:
        """Last sealed, non-empty tick."""

    def seal(self, now: float) -> int:
        """Make what was set visible to the wire; the new tick."""


class View(Channel):
    """A channel of a table: at most one frame in ``interval`` seconds per subscriber."""

    kind = "table"

    def __init__(
        self,
        name: str,
        id: int,
        table: Sealable,
        encode: Encode,
        interval: float,
        at_least: float = math.inf,
    ) -> None:
        super().__init__(name, id)
        self.table = table
        self._encode = encode
        self._interval = interval
        self._at_least = at_least
        # Views of one interval are spread over it, so that not all lists fall into one flush.
        self._next = -1.0
        self._phase = (id * 0.618034) % 1.0
        self._last = -1.0
        self._sent_tick = -1

    @property
    def position(self) -> dict[str, int]:
        """Epoch and tick of the table."""
        return {"epoch": self.table.epoch, "tick": self.table.tick}

    def attach(self, subscriber: Subscriber, since: Since | None) -> ViewSubscription:
        """From the present tick on: first data is the endpoint's, before ``open()``."""
        if since is not None and since.epoch == self.table.epoch:
            tick = since.tick
            if isinstance(tick, int) and tick > self.table.tick:
                text = f"Tick {tick} lies ahead of the channel ({self.table.tick})"
                raise WireError(Code.INVALID_SINCE, text)
        return ViewSubscription(self, subscriber, self.table.tick)

    def flush(self, now: float) -> int:
        """Deliver to everybody who is behind, once in an interval."""
        if not self.subscriptions or now < self._next:
            return 0
        tick = self.table.tick
        repeat = now - self._last >= self._at_least
        if tick == self._sent_tick and not repeat and not self._late():
            return 0
        self._next = self._after(now)
        self._last = now
        self._sent_tick = tick
        frames: dict[int, bytes | None] = {}
        sends = 0
        for subscription in tuple(self.subscriptions):
            sends += subscription.serve(tick, frames, repeat)
        return sends

    def _late(self) -> bool:
        tick = self.table.tick
        return any(subscription.base != tick for subscription in self.subscriptions)

    def _after(self, now: float) -> float:
        """The next slot of this view's phase: at least an interval lies between two frames."""
        if self._interval <= 0:
            return now
        if self._next < 0:  # the first frame leaves at once, the second falls into step
            return now + self._interval * (1 + self._phase * 0.2)
        return now + self._interval

    def frame(self, since: int, frames: dict[int, bytes | None]) -> bytes | None:
        """The frame for a base, encoded once a flush."""
        if since not in frames:
            frames[since] = self._encode(since)
        return frames[since]


class ViewSubscription(Subscription):
    """Remembers the tick of the last frame sent."""

    __slots__ = ("base",)

    channel: View

    def __init__(self, channel: View, subscriber: Subscriber, base: int) -> None:
        super().__init__(channel, subscriber)
        self.base = base

    def serve(self, tick: int, frames: dict[int, bytes | None], repeat: bool) -> int:
        """Send the frame from its base to ``tick``; 1 if something was sent."""
        if not self.live or self.paused or (self.base == tick and not repeat):
            return 0
        if not self.subscriber.writable:
            self.channel.skipped += 1
            return 0
        frame = self.channel.frame(-1 if repeat and self.base == tick else self.base, frames)
        if frame is None:
            self.base = tick
            return 0
        if not self.send(frame):
            return 0
        self.base = tick
        return 1
