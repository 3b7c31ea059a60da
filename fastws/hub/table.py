"""A channel of a table: deltas for whoever asks for a format, lists for older clients.

What a client gets as ``json`` or ``binary`` is served from C by a `Fanout`; what an older one
gets is a view's business. Rows are named by the table's keys; `Names` let a client say
something else (a symbol). Source: tables.md, "Subscription"; wire.md, part B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import zstandard
from msgspec import UNSET

from fastws._core import view as columns
from fastws._core.fanout import Fanout, Lane
from fastws._core.follower import Follower
from fastws._core.table import Table
from fastws.errors import Code, WireError
from fastws.hub.channel import Subscriber, Subscription
from fastws.hub.view import Encode, View
from fastws.wire import Since, Subscribe

__all__ = ["FORMATS", "ByKey", "Names", "TableChannel", "TableSubscription", "pace_of", "packed"]

FORMATS = ("legacy", "json", "binary")

SLICE = 100
"""Frames made before the flush is asked whether to go on."""

PACKED = 2
"""Type of the block whose content is a zstd frame of blocks (docs/wire.md)."""


MAX_PACE = 32
"""Ticks from frame to frame of the slowest rate class."""


def pace_of(max_rate_ms: int, flush_ms: int) -> int:
    """The rate class of "not more often than this": a frame at every so many ticks, 1 to 32."""
    pace = 1
    while pace < MAX_PACE and flush_ms * pace < max_rate_ms:
        pace <<= 1
    return pace


class Names(Protocol):
    """What clients may call a row."""

    @property
    def renamed(self) -> int:
        """Grows whenever a name may mean another row."""

    def resolve(self, name: str) -> str | None:
        """The key that a name means now, or None."""


class ByKey:
    """Rows are called by their keys, and nothing else."""

    renamed = 0

    def resolve(self, name: str) -> str | None:
        """Itself."""
        return name


def packed(block: bytes) -> bytes:
    """A block that holds ``block`` compressed."""
    body = bytes([PACKED]) + zstandard.ZstdCompressor(level=3).compress(block)
    size, length = len(body), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes(length) + body


class TableChannel(View):
    """``table`` by all its columns, flushed every ``flush_ms``; ``most`` rows a subscription."""

    table: Table

    def __init__(
        self,
        name: str,
        id: int,
        table: Table,
        shown: columns.View,
        encode: Encode,
        interval: float,
        *,
        flush_ms: int,
        most: int,
        monotonic: Callable[[], float],
        names: Names,
    ) -> None:
        super().__init__(name, id, table, encode, interval)
        self.shown = shown
        self.fanout = Fanout(packed)
        self._seen = (0, 0, 0, 0)  # figures of the fan-out that are counted
        self.flush_ms = flush_ms
        self.most = most
        self.monotonic = monotonic
        self.names = names
        self._renamed = names.renamed
        self.deltas: set[TableSubscription] = set()

    def follow(self, subscriber: Subscriber, asked: Subscribe) -> TableSubscription:
        """A subscription of deltas, from where ``asked.since`` says if that can be had."""
        return TableSubscription(self, subscriber, asked)

    def deliver(self, now: float) -> Iterator[int]:
        """Older clients at their interval, then everybody who is owed a delta."""
        yield from super().deliver(now)
        if not len(self.fanout):
            return
        yield from self._pass(now)
        self._count()
        if self._renamed != self.names.renamed:
            self._renamed = self.names.renamed
            for subscription in tuple(self.deltas):
                subscription.look_again()
                yield 0

    def _pass(self, now: float) -> Iterator[int]:
        """One pass of the fan-out, a slice at a time."""
        self.fanout.begin()
        made = SLICE
        while made >= SLICE:
            made = self.fanout.go_on(now, SLICE)
            yield made

    def _count(self) -> None:
        """Add what the fan-out did since the last time to the channel's figures."""
        seen, all_ = self._seen, self._fanouts()
        self._seen = (
            sum(one.messages for one in all_),
            sum(one.bytes for one in all_),
            sum(one.skipped for one in all_),
            sum(one.postponed for one in all_),
        )
        self.messages += self._seen[0] - seen[0]
        self.bytes += self._seen[1] - seen[1]
        self.skipped += self._seen[2] - seen[2]
        self.postponed += self._seen[3] - seen[3]

    def _fanouts(self) -> tuple[Fanout, ...]:
        return (self.fanout,)

    def lanes(self, subscriber: Subscriber) -> Fanout:
        """Among whom a subscriber is served."""
        return self.fanout

    def pace(self, subscriber: Subscriber, asked: int) -> int:
        """Ticks from frame to frame of a subscriber who asked for so many."""
        return asked

    def end(self, code: str, message: str) -> None:
        """Take the channel from everybody, and say so."""
        super().end(code, message)
        for subscription in tuple(self.deltas):
            subscription.close()
            subscription.subscriber.subscription_ended(self.label, code, message)

    def wanted(self, asked: Subscribe, subscriber: Subscriber) -> dict[str, str] | None:
        """The rows of a subscription by what the client calls them; None: all."""
        return None if asked.rows is UNSET else self.keys(asked.rows)

    @property
    def filter(self) -> int:
        """Version of the row set where the server chooses it; a resume names it."""
        return 0

    @property
    def followers(self) -> int:
        """Subscriptions now, of any format."""
        return len(self.subscriptions) + len(self.deltas)

    def keys(self, names: list[str]) -> dict[str, str]:
        """What the client calls rows, and the keys they have; `WireError` when too many."""
        if len(names) > self.most:
            text = f"At most {self.most} rows; follow all of them without rows"
            raise WireError(Code.TOO_MANY_ROWS, text, limit=self.most)
        return {name: self.names.resolve(name) or name for name in names}


class TableSubscription(Subscription):
    """A follower in the lane of one client."""

    __slots__ = ("_given", "fanout", "follower", "format", "lane", "names")

    channel: TableChannel

    def __init__(self, channel: TableChannel, subscriber: Subscriber, asked: Subscribe) -> None:
        self.channel = channel
        self.subscriber = subscriber
        self.recovered = self.live = self.paused = False
        self.format = str(asked.format)
        self.names = channel.wanted(asked, subscriber)
        self._given = asked.since is not UNSET
        self.follower = Follower(
            channel.shown,
            channel.id,
            channel.label,
            json=self.format == "json",
            keys=None if self.names is None else set(self.names.values()),
            pace=channel.pace(subscriber, pace_of(_rate(asked), channel.flush_ms)),
            period=channel.flush_ms / 1000,
            version=channel.filter,
        )
        if asked.since is not UNSET:
            self.recovered = self._recover(asked.since, asked)
        accepts = () if asked.accept is UNSET else asked.accept
        self.lane = Lane(subscriber.line, self.follower, "zstd" in accepts)
        self.fanout = channel.lanes(subscriber)
        self.fanout.add(self.lane)
        channel.deltas.add(self)

    def _recover(self, since: Since, asked: Subscribe) -> bool:
        table = self.channel.table
        if since.tick is UNSET:
            self.follower.close()
            raise WireError(Code.INVALID_SINCE, "A table resumes from {epoch, tick}")
        if since.epoch == table.epoch and since.tick > table.tick:
            self.follower.close()
            text = f"Tick {since.tick} lies ahead of the channel ({table.tick})"
            raise WireError(Code.INVALID_SINCE, text)
        new = [] if asked.new is UNSET else list(self.channel.keys(asked.new).values())
        version = 0 if since.filter is UNSET else since.filter
        return self.follower.resume(since.epoch, since.tick, new, version)

    def change(self, asked: Subscribe) -> None:
        """A repeated ``subscribe``: other rows, another rate; without either a snapshot again."""
        channel, subscriber = self.channel, self.subscriber
        self.follower.pace = channel.pace(subscriber, pace_of(_rate(asked), channel.flush_ms))
        names = channel.wanted(asked, subscriber)
        if names == self.names:
            self.follower.restart()
        self.choose(names)
        self._given = False

    def choose(self, names: dict[str, str] | None) -> None:
        """Other rows: what is new comes whole, what left is named."""
        if names != self.names:
            keys = None if names is None else set(names.values())
            self.follower.follow(keys, self.channel.filter)
        self.names = names

    def move(self, fanout: Fanout) -> None:
        """Be served among others from now on."""
        self.fanout.remove(self.lane)
        self.fanout = fanout
        fanout.add(self.lane)
        self.lane.live = self.live

    def look_again(self) -> None:
        """A name that meant nothing, or another row, may mean this one by now."""
        if self.names is None:
            return
        self.choose(self.channel.keys(list(self.names)))

    def describe(self) -> dict[str, Any]:
        """Columns, what is unknown and which limits apply, besides where the table stands."""
        channel = self.channel
        unknown = set(self.follower.unknown)
        fields = {
            **super().describe(),
            "format": self.format,
            **channel.shown.describe(),
            **({"filter": channel.filter} if channel.filter else {}),
            "unknown": [name for name, key in (self.names or {}).items() if key in unknown],
            "limits": {
                "rows": channel.most,
                "flush_ms": channel.flush_ms,
                "max_rate_ms": channel.flush_ms * self.follower.pace,
            },
        }
        if self._given:
            fields["recovered"] = self.recovered
        return fields

    @property
    def lag(self) -> int:
        """Ticks since the last frame that made it whole."""
        return max(0, self.channel.table.tick - self.follower.synced)

    def open(self) -> None:
        """Begin with what is owed; harmless when already open or closed."""
        if not self.live and self in self.channel.deltas:
            self.live = self.lane.live = True
        self.catch_up()

    def pause(self) -> None:
        """Keep the place, deliver nothing."""
        self.paused = self.lane.paused = True

    def resume(self) -> None:
        """Go on: one delta from where it stopped."""
        self.paused = self.lane.paused = False
        self.catch_up()

    def drained(self) -> None:
        """Further pages of a snapshot; a delta comes with the next flush."""
        if self.follower.more:
            self.catch_up()

    def resync(self) -> None:
        """The client disagrees: a snapshot of this channel."""
        self.follower.restart()
        self.catch_up()

    def catch_up(self) -> None:
        """What is owed, as far as the socket takes it."""
        if self.live:
            self.fanout.catch_up(self.lane, self.channel.monotonic())

    def close(self) -> None:
        """Deliver nothing from now on; harmless when already closed."""
        self.live = False
        self.fanout.remove(self.lane)
        self.channel.deltas.discard(self)
        self.follower.close()


def _rate(asked: Subscribe) -> int:
    return 0 if asked.max_rate_ms is UNSET else asked.max_rate_ms
