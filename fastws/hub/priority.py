"""A table channel with two kinds of followers: those who act on it are served first and always.

Players of a match get each tick the moment it is sealed, by `serve_first`; whoever only watches
gets every ``pace``-th, by `serve_rest`, in slices between which others have their turn. Thousands
who watch stand at the same tick and share one frame. The owner of the table calls both; the
hub's own flush has only older clients to serve here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from fastws._core.fanout import Fanout
from fastws.hub.channel import Subscriber
from fastws.hub.table import TableChannel, TableSubscription, packed
from fastws.hub.view import View
from fastws.wire import Subscribe

__all__ = ["Audience", "PriorityTable"]

ALL = 0x7FFFFFFF


class Audience(Protocol):
    """Who follows."""

    pace: int
    """Ticks between two frames to those who only watch."""

    def acts(self, subscriber: Subscriber) -> bool:
        """Whether he is served first."""

    def rows(self, subscriber: Subscriber) -> dict[str, str] | None:
        """The rows he may see, whatever he asks for; None: what he asks for."""


class PriorityTable(TableChannel):
    """Followers by ``audience``; who acts, or watches, is asked when he comes and in `place`."""

    def __init__(self, *args: Any, audience: Audience, **options: Any) -> None:
        super().__init__(*args, **options)
        self.audience = audience
        self.first = Fanout(packed)

    @property
    def others(self) -> int:
        """Followers who only watch."""
        return len(self.subscriptions) + len(self.fanout)

    def lanes(self, subscriber: Subscriber) -> Fanout:
        """First those who act."""
        return self.first if self.audience.acts(subscriber) else self.fanout

    def pace(self, subscriber: Subscriber, asked: int) -> int:
        """Who acts gets every tick unless he asks for fewer, who watches not more than he may."""
        return asked if self.audience.acts(subscriber) else max(asked, self.audience.pace)

    def wanted(self, asked: Subscribe, subscriber: Subscriber) -> dict[str, str] | None:
        """The rows the audience allows."""
        allowed = self.audience.rows(subscriber)
        return super().wanted(asked, subscriber) if allowed is None else allowed

    def place(self, subscription: TableSubscription) -> None:
        """Its subscriber has become a player, or is none any more."""
        subscription.move(self.lanes(subscription.subscriber))
        subscription.follower.pace = self.pace(subscription.subscriber, 1)

    def deliver(self, now: float) -> Iterator[int]:
        """Older clients at their interval."""
        self._count()
        return View.deliver(self, now)

    def serve_first(self, now: float) -> int:
        """A frame to everybody who acts, if he is owed one; how many were made."""
        if not len(self.first):
            return 0
        self.first.begin()
        return self.first.go_on(now, ALL)

    def serve_rest(self, now: float) -> Iterator[int]:
        """The others, yielding how many frames a slice made."""
        if len(self.fanout):
            yield from self._pass(now)

    def _fanouts(self) -> tuple[Fanout, ...]:
        return self.fanout, self.first
