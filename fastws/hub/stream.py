"""A stream: messages that must each arrive, in order. Subscriptions are cursors.

A publication heard from the broker is a hint: only the successor of the last one is taken,
what is missing is fetched from the broker's history. A cursor behind the ring gets a ``gap``
message, never silence. A new epoch numbers from 1 again: a ``gap`` names it, with what of the
old one was not delivered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from msgspec import UNSET

from fastws import wire
from fastws._core.fanout import Fanout, Lane
from fastws.broker import Position, Publication, StreamLog
from fastws.errors import Code, WireError
from fastws.hub.channel import Channel, Subscriber, Subscription
from fastws.metrics import Histogram
from fastws.wire import Since

__all__ = ["Stream", "StreamSubscription"]

log = structlog.get_logger()

FILL_AT_ONCE = 100
"""Messages fetched from the broker in one question."""


class Stream(Channel):
    """A stream and its ring of the last ``keep`` messages."""

    kind = "stream"

    def __init__(
        self,
        name: str,
        id: int,
        broker: StreamLog,
        position: Position,
        keep: int,
        clock: Callable[[], float] = time.time,
        stall: float = math.inf,
        delays: Histogram | None = None,
        pace: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pace``: seconds between two deliveries; what comes sooner leaves with the flush, many
        messages in one write. The first after a pause leaves at once."""
        super().__init__(name, id)
        self._pace = pace
        self._monotonic = monotonic
        self._told_at = -math.inf
        self._broker = broker
        self._clock = clock
        self._keep = keep
        self._stall = stall  # seconds
        self._delays = delays or Histogram()
        self._ring: dict[int, bytes] = {}
        self.epoch, self.offset = position
        self.gaps = 0  # holes seen in what the broker delivered
        self._behind = False
        self._told = self.offset  # given to the fan-out
        self.fanout = Fanout()
        self.lanes: dict[Lane, StreamSubscription] = {}
        self._stop = broker.listen(name, self._hear)

    @property
    def position(self) -> dict[str, int]:
        """Epoch and offset of the last message heard."""
        return {"epoch": self.epoch, "offset": self.offset}

    @property
    def floor(self) -> int:
        """Offset of the oldest message still in the ring; ``offset + 1`` when it is empty."""
        return next(iter(self._ring), self.offset + 1)

    async def publish(self, type: str, fields: dict[str, Any]) -> Position:
        """Publish one message; encoded once for everybody, under the offset it gets."""
        label, now = self.label, self._clock()

        def encode(offset: int) -> bytes:
            return wire.encode(type, {**fields, "offset": offset}, now, channel=label)

        begun = time.perf_counter()
        position = await self._broker.publish(self.name, encode)
        self._delays.observe(time.perf_counter() - begun)
        return position

    def close(self) -> None:
        """Stop listening to the broker."""
        self._stop()

    # ── hearing ─────────────────────────────────────────────────────────────────────────

    def _hear(self, publication: Publication) -> None:
        (epoch, offset), payload = publication
        if epoch > self.epoch:
            self._restart(epoch)
        if epoch < self.epoch or offset <= self.offset:
            return
        if offset > self.offset + 1:
            self.gaps += 1
            self._behind = True  # the next tail check fetches what is missing
            return
        self._take(offset, payload)

    def _take(self, offset: int, payload: bytes) -> None:
        self.offset = offset
        self._ring[offset] = payload
        if len(self._ring) > self._keep:
            del self._ring[next(iter(self._ring))]
        if not self._pace or self._monotonic() - self._told_at >= self._pace:
            self._tell()

    def _tell(self) -> None:
        """Give the fan-out what it has not had; whoever it leaves out catches up by himself."""
        skipped = self.fanout.skipped
        for offset in range(max(self._told + 1, self.floor), self.offset + 1):
            payload = self._ring[offset]
            given = self.fanout.publish(payload, offset)
            self.messages += given
            self.bytes += given * len(payload)
        self.skipped += self.fanout.skipped - skipped
        self._told = self.offset
        if self._pace:
            self._told_at = self._monotonic()

    def _restart(self, epoch: int) -> None:
        """A new numbering. Epochs grow, so what comes late from an older one is not heard."""
        log.info("stream.new_epoch", channel=self.name, epoch=epoch)
        for subscription in self.subscriptions:
            subscription.restart()
        self.epoch, self.offset, self._told = epoch, 0, 0
        self._ring.clear()
        for subscription in tuple(self.subscriptions):
            subscription.catch_up()

    async def check_tail(self) -> None:
        """Compare with the broker and fetch what was lost on the way."""
        tail = await self._broker.tail(self.name)
        if tail.epoch > self.epoch:
            self._restart(tail.epoch)
        while tail.epoch == self.epoch and self.offset < tail.offset:
            after = self.offset
            missing = await self._broker.history(self.name, after, FILL_AT_ONCE)
            if self.epoch != tail.epoch:  # a new numbering began while we waited
                return
            self._fill([item for item in missing if item.position.epoch == tail.epoch])
            if self.offset == after:
                self._skip_to(tail.offset)
        self._behind = False

    async def reach(self, since: Since) -> None:
        """Fetch what the ring no longer has, if the broker does. At most ``keep`` are held."""
        first = since.offset + 1 if isinstance(since.offset, int) else self.floor
        if since.epoch != self.epoch or not self.offset - self._keep < first < self.floor:
            return
        while first < (floor := self.floor):
            found = await self._broker.history(self.name, first - 1, self._keep)
            older = {
                position.offset: payload
                for position, payload in found
                if position.epoch == self.epoch and position.offset < self.floor
            }
            if self.floor == floor:  # nothing came meanwhile, so nothing was thrown away
                if older and max(older) == floor - 1:
                    self._ring = older | self._ring
                return

    def _fill(self, missing: list[Publication]) -> None:
        """Take what was fetched; publications heard meanwhile are in it again."""
        for (_, offset), payload in missing:
            if offset > self.offset + 1:
                self._skip_to(offset - 1)
            if offset == self.offset + 1:
                self._take(offset, payload)

    def _skip_to(self, offset: int) -> None:
        """Messages up to ``offset`` are lost for good; cursors will say so."""
        log.warning("stream.lost", channel=self.name, after=self.offset, to=offset)
        self.offset = offset
        self._ring.clear()
        for subscription in tuple(self.subscriptions):
            subscription.catch_up()

    @property
    def behind(self) -> bool:
        """Whether a message is known to be missing."""
        return self._behind

    # ── delivering ──────────────────────────────────────────────────────────────────────

    def attach(self, subscriber: Subscriber, since: Since | None) -> StreamSubscription:
        """A cursor at the present, or where a resuming client stopped."""
        subscription = StreamSubscription(self, subscriber, self.offset)
        if since is not None:
            try:
                subscription.recover(since)
            except WireError:
                subscription.close()
                raise
        return subscription

    def message(self, offset: int) -> bytes | None:
        """The encoded message of an offset, if it is still in the ring."""
        return self._ring.get(offset)

    def gap(self, first: int, last: int, epoch: int | None = None) -> bytes:
        """The frame that tells of messages that can no longer be had.

        With ``epoch``: they belong to the numbering before it, and no more of that will come.
        """
        fields: dict[str, Any] = {"from": first, "to": last}
        if epoch is not None:
            fields["epoch"] = epoch
        return wire.encode("gap", fields, self._clock(), channel=self.label)

    def deliver(self, now: float) -> Iterator[int]:
        """Streams are delivered when heard; here those are closed that make no progress.

        They are found in C: a thousand subscribers who have everything cost some microseconds.
        """
        if self._told < self.offset:
            self._tell()
            yield 0
        for lane in self.fanout.waiting(self.offset):
            subscription = self.lanes.get(lane)
            if subscription is None:  # closed since this pass began
                continue
            if subscription.watch(now) >= self._stall:
                subscription.subscriber.stalled()
            yield 0


class StreamSubscription(Subscription):
    """A cursor: the offset of the last message sent."""

    __slots__ = ("_accepted", "_given", "_lost", "_waiting_since", "lane")

    channel: Stream

    def __init__(self, channel: Stream, subscriber: Subscriber, cursor: int) -> None:
        super().__init__(channel, subscriber)
        self.lane = Lane(subscriber.line)
        self.lane.cursor = cursor
        channel.fanout.add(self.lane)
        channel.lanes[self.lane] = self
        self._given = False
        self._waiting_since = -1.0
        self._accepted = 0
        self._lost: tuple[int, int] | None = None  # of the numbering before this one

    @property
    def cursor(self) -> int:
        """Offset of the last message sent; -1 while the end of a numbering is to be told."""
        return self.lane.cursor

    def open(self) -> None:
        """Begin to deliver; harmless when already open or closed."""
        super().open()
        self.lane.live = self.live

    def pause(self) -> None:
        """Keep the place, deliver nothing."""
        super().pause()
        self.lane.paused = True

    def resume(self) -> None:
        """Deliver again from where it stopped."""
        self.lane.paused = False
        self._waiting_since = -1.0
        super().resume()

    def close(self) -> None:
        """Deliver nothing from now on; harmless when already closed."""
        super().close()
        self.channel.fanout.remove(self.lane)
        self.channel.lanes.pop(self.lane, None)

    @property
    def behind(self) -> bool:
        """Whether something waits to be sent."""
        return self._lost is not None or self.cursor < self.channel.offset

    @property
    def lag(self) -> int:
        """Messages that wait for its socket."""
        return max(0, self.channel.offset - max(self.cursor, 0))

    def recover(self, since: Since) -> None:
        """Go back to where the client stopped, if everything after it is still here."""
        stream = self.channel
        if since.offset is UNSET:
            raise WireError(Code.INVALID_SINCE, "A stream resumes from {epoch, offset}")
        self._given = True
        if since.epoch != stream.epoch:
            return
        if since.offset > stream.offset:
            text = f"Offset {since.offset} lies ahead of the channel ({stream.offset})"
            raise WireError(Code.INVALID_SINCE, text)
        if since.offset + 1 >= stream.floor:
            self.lane.cursor = since.offset
            self.recovered = True

    def describe(self) -> dict[str, Any]:
        """With ``recovered`` for a client that asked to resume."""
        fields = super().describe()
        if self._given:
            fields["recovered"] = self.recovered
        return fields

    def restart(self) -> None:
        """The numbering ends here: remember what of it was not sent, and begin anew."""
        if self._lost is None:
            self._lost = (self.cursor + 1, self.channel.offset)
        self.lane.cursor = -1

    def catch_up(self) -> None:
        """Send from the cursor while the socket takes it."""
        while self.live and not self.paused and self.behind:
            if not self.subscriber.writable:
                self.channel.skipped += 1
                return
            self._send_next()

    def _send_next(self) -> None:
        stream = self.channel
        if self._lost is not None:
            frame = stream.gap(*self._lost, epoch=stream.epoch)
            self._lost = None
            self.lane.cursor = 0
            self.send(frame)
            return
        first = last = self.cursor + 1
        message = stream.message(first)
        if message is None:
            last = stream.floor - 1
            message = stream.gap(first, last)
        self.lane.cursor = last
        self.send(message)

    def watch(self, now: float) -> float:
        """Seconds for which something waits and the socket has taken nothing.

        Asked in each pass while something waits; what it has taken since shows that it moved.
        """
        if self.live and self.subscriber.writable:
            self.catch_up()
        if not self.live or self.paused or not self.behind:
            self._waiting_since = -1.0
            return 0.0
        accepted = self.subscriber.accepted
        if self._waiting_since < 0 or accepted > self._accepted:
            self._waiting_since = now
        self._accepted = accepted
        return now - self._waiting_since
