"""What streams and views share: a name, subscribers, figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import structlog

from fastws._core.line import Line
from fastws.errors import Code, WireError
from fastws.wire import Since

__all__ = ["Channel", "Subscriber", "Subscription"]

log = structlog.get_logger()


class Subscriber(Protocol):
    """What the hub needs of a connection."""

    id: str

    @property
    def line(self) -> Line:
        """Where its frames leave, for those who write them from C."""

    @property
    def writable(self) -> bool:
        """Whether its socket has taken everything so far."""

    @property
    def accepted(self) -> int:
        """Bytes its socket has taken in all; while this grows a slow reader still reads."""

    def push(self, frame: bytes, channel: str = "") -> None:
        """Send one encoded JSON frame."""

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        """The server ended a subscription."""

    def stalled(self) -> None:
        """A stream waits for this socket and it takes nothing."""


class Channel:
    """A named channel. ``label`` is what the wire calls it, ``name`` adds the endpoint."""

    kind: Literal["stream", "table"]

    def __init__(self, name: str, id: int) -> None:
        self.name = name
        self.label = name.partition("/")[2]
        self.id = id
        self.subscriptions: set[Any] = set()  # of the kind's own Subscription class
        self.messages = 0  # frames delivered
        self.bytes = 0
        self.skipped = 0  # deliveries put off because a socket was full
        self.postponed = 0  # laggards who had to wait for another flush

    @property
    def position(self) -> dict[str, int]:
        """``epoch`` and ``offset`` or ``tick``, as a confirmation names them."""
        raise NotImplementedError(self)

    def attach(self, subscriber: Subscriber, since: Since | None) -> Subscription:
        """A subscription that delivers nothing before ``open()``."""
        raise NotImplementedError(self)

    async def reach(self, since: Since) -> None:
        """Fetch what a resuming client missed, if it is not at hand; before `attach`."""

    @property
    def followers(self) -> int:
        """Subscriptions now."""
        return len(self.subscriptions)

    def deliver(self, now: float) -> Iterator[int]:
        """Deliver what is due, yielding the sends of each subscriber: a flush may pause there.

        ``now`` is monotonic seconds.
        """
        raise NotImplementedError(self)

    def flush(self, now: float) -> int:
        """Deliver what is due without a pause; the number of sends."""
        return sum(self.deliver(now))

    def end(self, code: str, message: str) -> None:
        """Take the channel from everybody, and say so."""
        for subscription in tuple(self.subscriptions):
            subscription.close()
            subscription.subscriber.subscription_ended(self.label, code, message)


class Subscription:
    """One subscriber of one channel: held until ``open()``, then live until ``close()``."""

    __slots__ = ("channel", "live", "paused", "recovered", "subscriber")

    channel: Channel

    def __init__(self, channel: Channel, subscriber: Subscriber) -> None:
        self.channel = channel
        self.subscriber = subscriber
        self.recovered = False
        self.live = False
        self.paused = False
        channel.subscriptions.add(self)

    def describe(self) -> dict[str, Any]:
        """What a confirmation says of it."""
        channel = self.channel
        fields: dict[str, Any] = {
            "kind": channel.kind,
            "channel_id": channel.id,
            **channel.position,
        }
        return fields

    def open(self) -> None:
        """Begin to deliver; harmless when already open or closed."""
        if not self.live and self in self.channel.subscriptions:
            self.live = True
            self.catch_up()

    def pause(self) -> None:
        """Keep the place, deliver nothing."""
        self.paused = True

    def resume(self) -> None:
        """Deliver again from where it stopped."""
        self.paused = False
        self.catch_up()

    def drained(self) -> None:
        """The socket has taken everything: go on."""
        self.catch_up()

    def resync(self) -> None:
        """Begin again with a snapshot; `WireError` where there is none to be had."""
        text = f"{self.channel.label} is not followed as a table in json or binary"
        raise WireError(Code.INVALID_SUBSCRIPTION, text)

    @property
    def lag(self) -> int:
        """Messages or ticks that its client has not been sent."""
        return 0

    def watch(self, now: float) -> float:
        """Seconds for which something waits and the socket has taken nothing."""
        return 0.0

    def catch_up(self) -> None:
        """Deliver what was missed, if that is possible now."""

    def close(self) -> None:
        """Deliver nothing from now on; harmless when already closed."""
        self.live = False
        self.channel.subscriptions.discard(self)

    def send(self, frame: bytes) -> bool:
        """Push to the subscriber; a subscriber that fails is dropped, not the others."""
        try:
            self.subscriber.push(frame, self.channel.label)
        except Exception:
            log.exception("hub.push_failed", channel=self.channel.name)
            self.close()
            return False
        self.channel.messages += 1
        self.channel.bytes += len(frame)
        return True
