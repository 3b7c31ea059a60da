"""The hub: finds channels, seals tables, runs the flush."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import structlog
from msgspec import UNSET

from fastws._core import view as columns
from fastws._core.table import Table
from fastws.broker import Broker, StreamLog
from fastws.config import LimitsConfig
from fastws.errors import Code, Unavailable, WireError
from fastws.hub.channel import Channel, Subscriber, Subscription
from fastws.hub.stream import Stream
from fastws.hub.table import Names, TableChannel, TableSubscription
from fastws.hub.view import Encode, Sealable, View
from fastws.metrics import Histogram
from fastws.wire import Subscribe

__all__ = ["Hub"]

log = structlog.get_logger()

SLICE_SECONDS = 0.001
"""Seconds, or sends, after which others have their turn."""
SLICE_SENDS = 200
TAIL_CHECK_SECONDS = 2.0
FLUSH_SECONDS = 0.1


class _Sealing:
    """How often a table is sealed, and who is told."""

    __slots__ = ("at", "period", "sealed")

    def __init__(self, period: float, sealed: Callable[[], None]) -> None:
        self.period = period
        self.sealed = sealed
        self.at = -1e9


class Hub:
    """All channels of this process. Times are monotonic seconds but for the wire's."""

    def __init__(
        self,
        broker: Broker,
        limits: LimitsConfig,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        delays: Histogram | None = None,
    ) -> None:
        self._broker = broker
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._delays = delays or Histogram()  # from a seal or a publication to the writes
        self._channels: dict[str, Channel] = {}
        self._shown: dict[str, columns.View] = {}  # all columns of a table, by its name
        self._tables: dict[Sealable, _Sealing] = {}
        self._ids = itertools.count(1)
        self.lag = 0.0  # seconds the last flush took, yields included

    # ── channels ────────────────────────────────────────────────────────────────────────

    @property
    def channels(self) -> list[Channel]:
        """All channels there are now."""
        return list(self._channels.values())

    def find(self, name: str) -> Channel | None:
        """The channel of a full name (``<endpoint>/<label>``)."""
        return self._channels.get(name)

    def stream(
        self,
        name: str,
        keep: int | None = None,
        broker: StreamLog | None = None,
        pace: float = 0.0,
    ) -> Stream:
        """The stream of that name, made if there is none.

        ``broker`` numbers and keeps this one; ``pace``: seconds between two deliveries.
        """
        found = self._channels.get(name)
        if isinstance(found, Stream):
            return found
        if found is not None:
            raise ValueError(f"{name} is not a stream")
        broker = broker or self._broker
        made = Stream(
            name,
            next(self._ids),
            broker,
            broker.position(name),
            self._limits.history if keep is None else keep,
            self._clock,
            self._limits.stall_seconds,
            self._delays,
            pace,
            self._monotonic,
        )
        self._channels[name] = made
        return made

    def view(
        self, name: str, table: Sealable, encode: Encode, interval: float, **options: float
    ) -> View:
        """The view of that name, made if there is none."""
        found = self._channels.get(name)
        if isinstance(found, View):
            return found
        if found is not None:
            raise ValueError(f"{name} is not a view")
        made = View(name, next(self._ids), table, encode, interval, **options)
        self._channels[name] = made
        return made

    def table(
        self,
        name: str,
        table: Table,
        encode: Encode,
        interval: float,
        *,
        flush_ms: int,
        names: Names,
        kind: type[TableChannel] = TableChannel,
        **options: Any,
    ) -> TableChannel:
        """A new channel of a table: deltas, and ``encode``'s frames for older clients.

        ``options`` are those of its ``kind``.
        """
        shown = self._shown.get(table.name)
        if shown is None:
            shown = self._shown[table.name] = columns.View(table)
        made = kind(
            name,
            next(self._ids),
            table,
            shown,
            encode,
            interval,
            flush_ms=flush_ms,
            most=self._limits.symbols,
            monotonic=self._monotonic,
            names=names,
            **options,
        )
        self._channels[name] = made
        return made

    def add_table(
        self, table: Sealable, flush_ms: int, sealed: Callable[[], None] = lambda: None
    ) -> None:
        """Seal ``table`` every ``flush_ms``; call ``sealed()`` after each seal, before frames."""
        self._tables[table] = _Sealing(flush_ms / 1000, sealed)

    def remove_table(self, table: Table) -> None:
        """Seal it no more; its channels are to be dropped before."""
        self._tables.pop(table, None)
        self._shown.pop(table.name, None)

    def drop(self, name: str, code: str = "CHANNEL_CLOSED", message: str = "It has ended") -> None:
        """End a channel; its subscribers are told."""
        channel = self._channels.pop(name, None)
        if channel is None:
            return
        channel.end(code, message)
        if isinstance(channel, Stream):
            channel.close()

    def drop_idle(self, prefix: str) -> int:
        """Drop streams of that prefix that nobody follows and that never had a message.

        A channel for each user would else be kept for ever; how many were dropped.
        """
        idle = [
            name
            for name, channel in self._channels.items()
            if name.startswith(prefix)
            and isinstance(channel, Stream)
            and not channel.followers
            and not channel.offset
        ]
        for name in idle:
            self.drop(name)
        return len(idle)

    def follow(
        self,
        subscriber: Subscriber,
        channel: Channel,
        asked: Subscribe,
        held: Subscription | None = None,
    ) -> Subscription:
        """Subscribe as ``asked``; nothing is delivered before the subscription is opened.

        ``held`` is what the subscriber has of this channel: it stays, is changed, or is closed
        for another. A refused one leaves it alone. Raises `WireError`.
        """
        deltas = asked.format in ("json", "binary")
        if not deltas and asked.format not in (UNSET, "legacy"):
            raise WireError(Code.UNKNOWN_FORMAT, f"Unknown format: {str(asked.format)[:32]}")
        since = None if asked.since is UNSET else asked.since
        if deltas and isinstance(channel, TableChannel):
            if isinstance(held, TableSubscription) and held.format == asked.format and not since:
                held.change(asked)
                return held
            made: Subscription = channel.follow(subscriber, asked)
        elif deltas and channel.kind == "table":
            text = f"{channel.label} has older frames only; follow rows of a list of tokens"
            raise WireError(Code.UNKNOWN_FORMAT, text)
        elif held is None or isinstance(held, TableSubscription) or since:
            made = channel.attach(subscriber, since)
        else:
            return held
        if held is not None:
            held.close()
        return made

    # ── the flush ───────────────────────────────────────────────────────────────────────

    def seal(self, now: float) -> None:
        """Seal the tables that are due."""
        for table, sealing in self._tables.items():
            if now - sealing.at >= sealing.period * 0.9:
                sealing.at = now
                table.seal(self._clock())
                sealing.sealed()

    def flush(self, now: float) -> int:
        """One whole pass, without a pause: seal, streams, views. Returns the sends."""
        self.seal(now)
        return sum(channel.flush(now) for channel in self._in_order())

    def _in_order(self) -> list[Channel]:
        followed = [channel for channel in self._channels.values() if channel.followers]
        followed.sort(key=lambda channel: channel.kind != "stream")
        return followed

    async def run(self) -> None:
        """Flush for ever, a slice at a time, until cancelled."""
        checked = self._monotonic()
        while True:
            begun = self._monotonic()
            try:
                await self._pass(begun)
                due = begun - checked >= TAIL_CHECK_SECONDS
                if due:
                    checked = begun
                await self.check_tails(known=not due)
            except Unavailable:
                log.warning("hub.broker_away")
            except Exception:
                log.exception("hub.flush_failed")
            self.lag = self._monotonic() - begun
            await asyncio.sleep(max(0.0, self._period() - self.lag))

    def _period(self) -> float:
        return min((one.period for one in self._tables.values()), default=FLUSH_SECONDS)

    async def _pass(self, now: float) -> None:
        self.seal(now)
        begun, sends = self._monotonic(), 0
        for channel in self._in_order():
            sent = 0
            try:
                for made in channel.deliver(now):
                    sends += made
                    sent += made
                    if sends >= SLICE_SENDS or self._monotonic() - begun >= SLICE_SECONDS:
                        await asyncio.sleep(0)
                        begun, sends = self._monotonic(), 0
            except Exception:  # its fault is not that of the channels after it
                log.exception("hub.deliver_failed", channel=channel.name)
            if sent:  # streams count their own, at the publication
                self._delays.observe(self._monotonic() - now)

    async def check_tails(self, *, known: bool = False) -> None:
        """Make up for publications that were lost on the way; ``known``: where some are."""
        for channel in self.channels:
            if isinstance(channel, Stream) and (channel.behind or not known):
                await channel.check_tail()
