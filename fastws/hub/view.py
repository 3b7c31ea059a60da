"""A view: the JSON frames that older clients get of a table, newest state only.

``encode(since)`` gives the frame (or frames) of what changed after tick ``since``, or None.
It is called once per base and round, whatever the number of subscribers; a round of many is
spread over several flushes. A full socket is skipped; its base stays, so the next frame it gets
makes it whole.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fastws.errors import Code, WireError
from fastws.hub.channel import Channel, Subscriber, Subscription
from fastws.wire import Since

__all__ = ["Sealable", "View", "ViewSubscription"]

Frames = bytes | tuple[bytes, ...] | None
Encode = Callable[[int], Frames]

AT_ONCE = 50
"""Subscribers served in one flush, however long the interval."""

SPREAD = 0.2
"""Part of the interval over which a round of more is spread: a list is long, and others wait."""


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


class _Round:
    """Subscribers who are to get what they miss of ``tick``, a share in each flush."""

    def __init__(
        self, now: float, tick: int, repeat: bool, whom: Iterable[ViewSubscription], seconds: float
    ) -> None:
        self.tick = tick
        self.repeat = repeat
        self.frames: dict[int, Frames] = {}
        self._waiting = deque(whom)
        self._all = len(self._waiting)
        self._seconds = seconds
        self._served_at = now

    def __len__(self) -> int:
        return len(self._waiting)

    def share(self, now: float) -> Iterator[ViewSubscription]:
        """Whose turn it is in this flush."""
        due = self._all
        if self._seconds > 0:
            due = max(AT_ONCE, math.ceil(due * (now - self._served_at) / self._seconds))
        self._served_at = now
        for _ in range(min(due, len(self._waiting))):
            yield self._waiting.popleft()


class View(Channel):
    """A channel of a table: one delivery in ``interval`` seconds per subscriber, or fewer.

    After ``at_least`` seconds without one the present state is delivered again.
    """

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
        self._last = -1.0  # the last delivery; counted from the first flush with a subscriber
        self._round: _Round | None = None

    @property
    def position(self) -> dict[str, int]:
        """Epoch and tick of the table."""
        return {"epoch": self.table.epoch, "tick": self.table.tick}

    def attach(self, subscriber: Subscriber, since: Since | None) -> ViewSubscription:
        """From the present tick on: first data is the endpoint's, before ``open()``."""
        if not self.subscriptions:
            self._last = -1.0  # whoever comes first has just been told the present state
        if since is not None and since.epoch == self.table.epoch:
            tick = since.tick
            if isinstance(tick, int) and tick > self.table.tick:
                text = f"Tick {tick} lies ahead of the channel ({self.table.tick})"
                raise WireError(Code.INVALID_SINCE, text)
        return ViewSubscription(self, subscriber, self.table.tick)

    def deliver(self, now: float) -> Iterator[int]:
        """Deliver to everybody who is behind, once in an interval."""
        if self._round is None:
            self._round = self._begin(now)
        if self._round is None:
            return
        present = self._round
        try:
            for subscription in present.share(now):
                yield subscription.serve(present)
        except Exception:  # a frame that cannot be made is tried again in the next round
            self._round = None
            raise
        if not present:
            self._round = None

    def _begin(self, now: float) -> _Round | None:
        """A new round, if it is time for one and anybody misses anything."""
        if not self.subscriptions or now < self._next:
            return None
        if self._last < 0:
            self._last = now
        tick = self.table.tick
        repeat = now - self._last >= self._at_least
        if not repeat and not self._late():
            return None
        self._next = self._after(now)
        self._last = now
        return _Round(now, tick, repeat, self.subscriptions, self._interval * SPREAD)

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

    def frame(self, since: int, frames: dict[int, Frames]) -> Frames:
        """The frame or frames for a base, encoded once a round."""
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

    def serve(self, turn: _Round) -> int:
        """Send what changed from its base to the round's tick; the number of frames sent."""
        tick, repeat = turn.tick, turn.repeat
        if not self.live or self.paused or (self.base >= tick and not repeat):
            return 0
        if not self.subscriber.writable:
            self.channel.skipped += 1
            return 0
        since = -1 if repeat and self.base >= tick else self.base
        frame = self.channel.frame(since, turn.frames)
        made = (frame,) if isinstance(frame, bytes) else frame or ()
        for sent, one in enumerate(made):
            if not self.send(one):
                return sent
        self.base = max(self.base, tick)
        return len(made)
