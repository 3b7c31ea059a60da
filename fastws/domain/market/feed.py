"""The state of the feed that fills the market: live or stale, since when, and what went wrong.

Owns the counters that operators look at. Sources write them; status and metrics read them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

__all__ = ["Feed", "FeedStatus"]


class FeedStatus(StrEnum):
    """How much the prices can be trusted to be current."""

    OFF = "off"
    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"


class Feed:
    """Status and counters of the market's feed. ``clock`` is Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.name = "none"
        self.status = FeedStatus.OFF
        self.last_update: float | None = None
        self.updates = 0
        """Changes taken in since the start."""
        self.ignored = 0
        """Messages of kinds nobody asked for."""
        self.malformed = 0
        """Messages skipped because they made no sense."""
        self.out_of_order = 0
        """Messages skipped because a newer one had been applied."""
        self.gaps = 0
        """Messages known to be missing, by their numbering."""
        self.reconnects = 0
        """Connections lost and tried again."""
        self.on_change: list[Callable[[FeedStatus], None]] = []
        """Called with the new status when it changes."""

    def begin(self, name: str) -> None:
        """A source takes over."""
        self.name = name
        self.become(FeedStatus.CONNECTING)

    def touch(self, updates: int = 1) -> None:
        """Data came: the feed is live."""
        self.updates += updates
        self.last_update = self._clock()
        if self.status is not FeedStatus.LIVE:
            self.become(FeedStatus.LIVE)

    def age(self) -> float | None:
        """Seconds since data came last; None before the first."""
        return None if self.last_update is None else max(0.0, self._clock() - self.last_update)

    def become(self, status: FeedStatus) -> None:
        """Change the status and tell who wants to know."""
        if status is self.status:
            return
        self.status = status
        for listener in self.on_change:
            listener(status)
