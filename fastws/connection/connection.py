"""One client, without its socket: identity, subscriptions, limits, push, reply and close.

A `Connection` is handed an `Outlet` (a socket, or a list in a test) and a `Handler` (its
endpoint). It owns the order of a conversation: messages are handled one after the other, in
the order they came. It knows nothing of HTTP, frames on the wire or what a channel means.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from msgspec import Struct

from fastws import wire
from fastws._core.line import Line
from fastws.config import LimitsConfig
from fastws.connection.limits import Allowance
from fastws.errors import Close, CloseCode, WireError
from fastws.hub import Subscription
from fastws.identity import Author, Identity
from fastws.metrics import Stats
from fastws.wire import Reply

__all__ = ["Connection", "Handler", "Outlet", "Peer"]

log = structlog.get_logger()

PATIENCE = 0.25
"""Share of the backlog that may wait to be read before the next message is handled."""

INBOX_BYTES = 256 * 1024
"""Bytes of messages waiting to be handled before reading pauses."""


class Peer(Struct, frozen=True):
    """Where a connection comes from, as the gateway judged it (proxies already resolved)."""

    address: str = ""
    user_agent: str = ""
    origin: str | None = None
    secure: bool = False
    host: str = ""


class Outlet(Protocol):
    """Where a connection's bytes go."""

    instant: Callable[[bytes], bool] | None
    """Takes binary messages before they are received, where they need no turn; may be set."""

    @property
    def line(self) -> Line:
        """Where frames leave that are written from C."""

    @property
    def pending(self) -> int:
        """Bytes taken from us that the kernel has not taken yet."""

    @property
    def writable(self) -> bool:
        """Whether nothing is pending."""

    @property
    def rtt_ms(self) -> float:
        """Last measured ping round trip, milliseconds; 0 before the first."""

    def send(self, data: bytes, binary: bool = False) -> None:
        """Send one message."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the socket is gone soon after."""

    def pause_reading(self) -> None:
        """Let the peer wait."""

    def resume_reading(self) -> None:
        """Read again."""


class Handler(Protocol):
    """What a connection needs of its endpoint."""

    @property
    def path(self) -> str:
        """The endpoint's path, the label of its figures."""

    async def open(self, conn: Connection) -> None:
        """Run the opening sequence."""

    async def handle(self, conn: Connection, data: bytes, binary: bool) -> None:
        """Handle one message; raises nothing."""

    def closed(self, conn: Connection) -> None:
        """The connection is gone; its subscriptions are still there to be read."""

    def reconsider(self, conn: Connection) -> None:
        """Its identity is another now: end what that may not have."""


class Connection:
    """One open conversation. Created by the server when the handshake is out."""

    __slots__ = (
        "__weakref__",
        "_drained",
        "_handler",
        "_inbox",
        "_inbox_bytes",
        "_limits",
        "_pump",
        "_reading_paused",
        "allowance",
        "clock",
        "close_code",
        "close_reason",
        "endpoint",
        "grouped",
        "id",
        "identity",
        "limiter_hits",
        "on_gone",
        "opened_at",
        "outlet",
        "peer",
        "query",
        "state",
        "stats",
        "subscriptions",
        "tap",
        "told_expiry",
    )

    def __init__(
        self,
        handler: Handler,
        identity: Identity,
        peer: Peer,
        outlet: Outlet,
        *,
        limits: LimitsConfig,
        allowance: Allowance,
        stats: Stats,
        clock: Callable[[], float] = time.time,
        query: dict[str, str] | None = None,
        on_gone: Callable[[Connection], None] | None = None,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.endpoint = handler.path
        self.identity = identity
        self.peer = peer
        self.outlet = outlet
        outlet.line.traffic = stats.traffic(handler.path)
        self.clock = clock
        self.query = query or {}
        self.stats = stats
        self.opened_at = clock()
        self.subscriptions: dict[str, Subscription] = {}
        self.grouped = 0  # how many of them count as one channel (token.<SYMBOL>)
        self.state: Any = None  # whatever the endpoint keeps for this client
        self.limiter_hits = 0
        self.close_code: int | None = None
        self.close_reason = ""
        self.told_expiry = 0.0
        self.tap: Callable[[bytes, int], None] | None = None  # hears what comes in
        self.on_gone = on_gone
        self._handler = handler
        self._limits = limits
        self.allowance = allowance
        self._inbox: deque[tuple[bytes, bool]] | None = None
        self._inbox_bytes = 0
        self._pump: asyncio.Task[None] | None = None
        self._drained: asyncio.Event | None = None
        self._reading_paused = False

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.endpoint} {self.identity.wallet or 'anonymous'}>"

    # ── what the socket tells us ────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Run the opening sequence; messages that come meanwhile wait their turn."""
        self._pump = asyncio.get_running_loop().create_task(self._work(opening=True))

    def receive(self, data: bytes, binary: bool) -> None:
        """Take one whole message from the socket."""
        if self.close_code is not None:
            return
        self.outlet.line.took(len(data))
        if self.tap is not None:
            self.tap(data, 2 if binary else 1)
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append((data, binary))
        self._inbox_bytes += len(data)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._work())
        full = len(self._inbox) >= self._limits.inbox or self._inbox_bytes >= INBOX_BYTES
        if full and not self._reading_paused:
            self._reading_paused = True
            self.outlet.pause_reading()

    def drained(self) -> None:
        """The socket took everything: let the subscriptions catch up."""
        if self._drained is not None:
            self._drained.set()
        for subscription in tuple(self.subscriptions.values()):
            subscription.drained()

    def closed(self, code: int, reason: str) -> None:
        """The socket is gone. Called exactly once."""
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        self._inbox = None
        if self._pump is not None:
            self._pump.cancel()
        self.stats.closed(self.endpoint, self.close_code)
        self._handler.closed(self)
        if self.on_gone is not None:
            self.on_gone(self)
        for subscription in tuple(self.subscriptions.values()):
            subscription.close()
        self.subscriptions.clear()

    async def _work(self, opening: bool = False) -> None:
        """Handle what waits, in order, then end: an idle connection owns no task."""
        try:
            if opening:
                await self._handler.open(self)
            while self._inbox and self.close_code is None:
                if self.outlet.pending > self._limits.backlog_bytes * PATIENCE:
                    await self._until_drained()
                    continue
                data, binary = self._inbox.popleft()
                self._inbox_bytes -= len(data)
                half = len(self._inbox) * 2 <= self._limits.inbox
                if self._reading_paused and half and self._inbox_bytes * 2 <= INBOX_BYTES:
                    self._reading_paused = False
                    self.outlet.resume_reading()
                await self._handler.handle(self, data, binary)
            self._inbox = None
        finally:
            self._pump = None

    async def _until_drained(self) -> None:
        """Who asks faster than he reads waits for his answers; they are not piled up."""
        self._drained = asyncio.Event()
        await self._drained.wait()
        self._drained = None

    # ── what endpoints and the hub do with it ───────────────────────────────────────────

    @property
    def busy(self) -> bool:
        """Whether a message or the opening is being handled."""
        return self._pump is not None

    async def idle(self) -> None:
        """Wait until everything received so far has been handled."""
        while self._pump is not None:
            await asyncio.wait([self._pump])

    @property
    def author(self) -> Author:
        """Who does what is asked here, as the audit keeps it; `Denied` when that is nobody."""
        return Author.of(self.identity, self.peer.address, self.peer.user_agent)

    @property
    def line(self) -> Line:
        """Where its frames leave."""
        return self.outlet.line

    @property
    def messages_in(self) -> int:
        """Messages that came."""
        return self.outlet.line.received

    @property
    def messages_out(self) -> int:
        """Messages sent, whoever wrote them."""
        return self.outlet.line.messages

    @property
    def writable(self) -> bool:
        """Whether its socket has taken everything so far."""
        return self.close_code is None and self.outlet.writable

    @property
    def accepted(self) -> int:
        """Bytes its socket has taken; while this grows a slow reader still reads."""
        return self.outlet.line.accepted

    def push(self, frame: bytes, channel: str = "") -> None:
        """Send one encoded JSON frame of ``channel`` (or of no channel)."""
        self._send(frame, binary=False)

    def push_binary(self, frame: bytes, channel: str = "") -> None:
        """Send one binary frame of ``channel``."""
        self._send(frame, binary=True)

    def tell(self, reply: Reply, *, channel: str | None = None) -> None:
        """Push a frame that answers nothing: welcome, notices, a channel's first data."""
        self._send(wire.encode(reply.type, reply.fields, self.clock(), channel=channel))

    def reply(self, reply: Reply, id: int | str | None = None) -> None:
        """Answer a message, echoing its ``id``."""
        self._send(wire.encode(reply.type, reply.fields, self.clock(), id=id))

    def error(self, error: WireError, id: int | str | None = None) -> None:
        """Answer with an ``error`` frame and close if the error says so."""
        self.stats.error(self.endpoint, error.code)
        fields = {"code": error.code, "message": error.message, **error.fields}
        self.reply(Reply("error", **fields), id)
        if error.close is not None:
            self.close(error.close)

    def _send(self, data: bytes, binary: bool = False) -> None:
        if self.close_code is not None:
            return
        if self.outlet.pending > self._limits.backlog_bytes:
            self.close(Close.BACKLOG)  # of what was sent before: one long list is no backlog
            return
        self.outlet.send(data, binary)

    def close(self, close: CloseCode) -> None:
        """End the conversation from our side; nothing is sent or handled after it."""
        if self.close_code is not None:
            return
        self.close_code, self.close_reason = close.code, close.reason
        self.outlet.close(close.code, close.reason)

    def reconsider(self) -> None:
        """The identity is another now: what it may not have ends."""
        self._handler.reconsider(self)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        """The server ended a subscription: say so."""
        self.subscriptions.pop(channel, None)
        self.tell(Reply("unsubscribed", channel=channel, code=code, message=message))

    def stalled(self) -> None:
        """A stream waits and the socket takes nothing."""
        self.close(Close.BACKLOG)

    # ── limits ──────────────────────────────────────────────────────────────────────────

    def charge(self, operation: str = "", cost: float = 1) -> None:
        """Take the cost of an operation from its buckets, or raise ``RATE_LIMIT_EXCEEDED``.

        Who comes near a limit is warned once.
        """
        try:
            warnings = self.allowance.charge(operation, cost)
        except WireError as refusal:
            self.limiter_hits += 1
            self.stats.limited(self.endpoint, refusal.fields["bucket"])
            raise
        for warning in warnings:
            self.tell(warning)

    def limits(self) -> dict[str, dict[str, int]]:
        """What is left: ``limit``, ``remaining`` and ``reset_ms`` of each bucket."""
        used = len(self.subscriptions) - self.grouped + (1 if self.grouped else 0)
        channels, symbols = self._limits.channels, self._limits.symbols
        return {
            **self.allowance.left(),
            "channels": {"limit": channels, "remaining": channels - used, "reset_ms": 0},
            "symbols": {"limit": symbols, "remaining": symbols - self.grouped, "reset_ms": 0},
        }
