"""The protocol of a fresh socket: reads one head, then gives the socket to who can serve it.

A page's request goes to the HTTP protocol; this one stays in between, since a handshake may
follow on the same connection. A WebSocket handshake is judged while nothing is read, and then
picows has the socket to itself. Whatever it is, it has ``head_seconds``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, cast

import structlog
from msgspec import Struct, field

from fastws._core.deflate import Deflater
from fastws._core.line import Cork
from fastws._core.socket import Socket
from fastws._core.wheel import Wheel
from fastws.config import GatewayConfig, LimitsConfig
from fastws.connection import Connection, Outlet, Peer
from fastws.endpoint import Endpoint
from fastws.gateway import head as heads
from fastws.gateway.admission import Admission, Lease
from fastws.gateway.answers import Refused, busy
from fastws.gateway.handshake import Handshake, read
from fastws.gateway.proxies import Proxies
from fastws.gateway.upgrade import hand_over
from fastws.identity import Credential, Identity
from fastws.identity.addresses import address_key

if TYPE_CHECKING:
    from fastws._core.socket import Receiver

__all__ = ["Door", "Http", "Peek", "World"]

log = structlog.get_logger()

LINGER_SECONDS: Final = 1.0
"""Seconds for which what a refused peer still sends is swallowed, so that it reads why."""

AWAY_SECONDS: Final = 5
"""What a client is told to wait when we cannot find out who it is."""

Http = Callable[[Callable[[bytes], None]], asyncio.Protocol]
"""Makes the protocol of an HTTP connection; it is given what takes a late handshake."""


class Door(Protocol):
    """What decides on a handshake; the server has it."""

    def find(self, path: str) -> Endpoint | None:
        """The endpoint of a path; None: there is none. May raise `Refused`."""

    def allows_origin(self, origin: str | None, own: str, has_cookie: bool) -> bool:
        """Whether a page of that origin may connect."""

    async def identify(self, credential: Credential | None) -> Identity | Exception:
        """Who that is, or why nobody."""

    def connect(
        self,
        endpoint: Endpoint,
        who: Identity | Exception,
        peer: Peer,
        query: Mapping[str, str],
        outlet: Outlet,
    ) -> Connection:
        """The connection over an open socket."""


class World(Struct, frozen=True, kw_only=True):
    """What all sockets of a gateway share."""

    door: Door
    http: Http
    wheel: Wheel
    cork: Cork
    deflater: Deflater
    config: GatewayConfig
    limits: LimitsConfig
    proxies: Proxies
    admission: Admission
    secure: bool
    reading: set[Peek] = field(default_factory=set)
    """Those whose head is not whole, or not judged yet."""


class Peek(asyncio.Protocol):
    """One socket until it is known what it is for."""

    def __init__(self, world: World, lease: Lease, address: str) -> None:
        self._world = world
        self._lease = lease
        self._address = address
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._searched = 0
        self._timer: asyncio.TimerHandle | None = None
        self._judging: asyncio.Task[None] | None = None
        self._http: asyncio.Protocol | None = None
        self._over = False
        self._returned = False

    # ── what the transport tells it ─────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a head."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._lease.held:  # stopped while it was being opened
            self._over = True
            self._transport.abort()
            return
        self._lease.transport = self._transport
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, or was given away before."""
        self._settled()
        if self._judging is not None:
            self._judging.cancel()
        self._over = True
        self._lease.release()
        http, self._http = self._http, None
        if http is not None:
            http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of whatever came after it."""
        if self._http is not None:
            self._http.data_received(data)
        elif not self._over:
            self._received += data
            if self._judging is None:
                self._read()

    def eof_received(self) -> bool | None:
        """The peer has said all it will."""
        return None if self._http is None else self._http.eof_received()

    def pause_writing(self) -> None:
        """For whoever answers."""
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """For whoever answers."""
        if self._http is not None:
            self._http.resume_writing()

    # ── the head ────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._world.reading.add(self)
        seconds = self._world.config.head_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def _settled(self) -> None:
        """The head is dealt with: its time has stopped."""
        self._world.reading.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._judging is not None:
            self._judging.cancel()
            text = "Service temporarily unavailable"
            self._refuse(busy("identify_slow", AWAY_SECONDS, text))
        elif self._received:
            self._refuse(Refused(408, "Request took too long", "slow_head"))
        else:
            # Browsers open connections to have them at hand and would show a 408 on one.
            self._world.admission.refused["silent"] += 1
            self._settled()
            self._over = True
            self._transport.abort()

    def _read(self) -> None:
        received = self._received
        while received.startswith(b"\r\n"):  # RFC 9112 section 2.2: of a request before
            del received[:2]
        if not received or received == b"\r":
            return
        end = received.find(heads.END, max(0, self._searched - 3))
        longest = self._world.config.head_bytes
        try:
            if end + len(heads.END) > longest or (end < 0 and len(received) >= longest):
                raise Refused(431, "The request head is too long", "long_head")
            if end >= 0:
                self._decide(heads.parse(bytes(received[:end])), end + len(heads.END))
            elif heads.malformed(received, self._searched):
                raise Refused(400, "The request is malformed", "malformed")
            self._searched = len(received)
        except Refused as refused:
            self._refuse(refused)
        except Exception:
            log.exception("gateway.failed")
            self._refuse(_failed())

    def _decide(self, head: heads.Head, size: int) -> None:
        if head.wants_websocket:
            self._judge(head, read(head), size)
            return
        if self._returned:
            # aiohttp hands back whatever asks for another protocol: never give it the same again
            raise Refused(405, "Method not allowed", "method")
        self._settled()
        self._http = self._world.http(self._take_back)
        self._http.connection_made(self._transport)
        data, self._received = bytes(self._received), bytearray()
        self._http.data_received(data)

    def _take_back(self, data: bytes) -> None:
        """A handshake has come on a connection that served pages until now."""
        self._http = None
        self._returned = True
        self._received = bytearray(data)
        self._searched = 0
        self._begin()
        self._read()

    # ── a handshake ─────────────────────────────────────────────────────────────────────

    def _judge(self, head: heads.Head, handshake: Handshake, size: int) -> None:
        """Refuse it, or go on to find out who asks."""
        world = self._world
        peer = world.proxies.peer(self._address, world.secure, head.headers)
        endpoint = world.door.find(handshake.path)
        if endpoint is None:
            raise Refused(404, "Not found", "not_found")
        own = f"{'https' if peer.secure else 'http'}://{peer.host}"
        if not world.door.allows_origin(handshake.origin, own, handshake.has_cookie):
            raise Refused(403, "Origin not allowed", "origin")
        if world.proxies.forwards(self._address, head.headers):
            self._lease.claim(address_key(peer.address))
        self._transport.pause_reading()
        del self._received[:size]
        self._judging = asyncio.get_running_loop().create_task(
            self._admit(endpoint, handshake, peer)
        )

    async def _admit(self, endpoint: Endpoint, handshake: Handshake, peer: Peer) -> None:
        try:
            who = await self._world.door.identify(handshake.credential)
            if not self._transport.is_closing():
                self._open(endpoint, handshake, peer, who)
        except Exception:
            log.exception("gateway.failed")
            self._refuse(_failed())

    def _open(
        self, endpoint: Endpoint, handshake: Handshake, peer: Peer, who: Identity | Exception
    ) -> None:
        world, limits = self._world, self._world.limits

        def opened(socket: Socket) -> Receiver:
            try:
                return world.door.connect(endpoint, who, peer, handshake.query, socket)
            except Exception:
                log.exception("gateway.connect_failed", endpoint=endpoint.path)
                raise  # picows closes with 1011 and says nothing of why

        most = endpoint.base.settings.max_message
        deflate = handshake.deflate if endpoint.base.settings.deflate else None
        socket = Socket(
            opened,
            world.wheel,
            world.cork,
            max_message=most,
            max_fragments=limits.fragments,
            frame_rate=limits.frames_per_second,
            frame_burst=limits.frames_burst,
            deflater=world.deflater if deflate else None,
        )
        self._settled()
        self._over = True
        rest = bytes(self._received)
        gone = self._lease.release
        hand_over(self._transport, handshake, rest, socket, most, gone, deflate)

    # ── the end ─────────────────────────────────────────────────────────────────────────

    def _refuse(self, refused: Refused) -> None:
        """Answer and end: nothing that still comes is looked at."""
        self._settled()
        self._world.admission.refused[refused.reason] += 1
        self._over = True
        self._received.clear()
        transport = self._transport
        if transport.is_closing():
            return
        transport.write(refused.encode())
        # Closed with bytes unread, a socket is reset and the answer may be lost: swallow them.
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)
        if transport.can_write_eof():
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()


def _failed() -> Refused:
    """A fault of ours, told without a word of it."""
    return Refused(500, "Internal server error", "failed")
