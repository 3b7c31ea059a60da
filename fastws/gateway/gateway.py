"""One port for pages and WebSockets: listens, admits, and counts what it turned away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from fastws._core.deflate import Deflater
from fastws._core.line import Cork
from fastws._core.wheel import Wheel
from fastws.config import GatewayConfig, LimitsConfig, ServerConfig
from fastws.errors import StartError
from fastws.gateway.admission import FULL_SECONDS, Admission, Lease
from fastws.gateway.answers import Refused, busy
from fastws.gateway.listener import Listener, bind
from fastws.gateway.peek import Door, Http, Peek, World
from fastws.gateway.proxies import Proxies
from fastws.identity.addresses import address_key

__all__ = ["Gateway"]

log = structlog.get_logger()

SHUTDOWN_SECONDS: Final = 2.0
"""Seconds for the end of a TLS session, and for sockets to be gone after an abort."""


class Gateway:
    """The edge of the server."""

    def __init__(
        self,
        door: Door,
        http: Http,
        wheel: Wheel,
        cork: Cork,
        deflater: Deflater,
        *,
        server: ServerConfig,
        gateway: GatewayConfig,
        limits: LimitsConfig,
        proxies: Proxies,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._tls: ssl.SSLContext | None = None
        self._listener: Listener | None = None
        self._port = server.port
        self._opening: set[asyncio.Task[None]] = set()
        self._admission = Admission(gateway, clock)
        self._world = World(
            door=door,
            http=http,
            wheel=wheel,
            cork=cork,
            deflater=deflater,
            config=gateway,
            limits=limits,
            proxies=proxies,
            admission=self._admission,
            secure=bool(server.ssl_certificate),
        )

    # ── figures ─────────────────────────────────────────────────────────────────────────

    @property
    def accepted(self) -> int:
        """Sockets admitted so far."""
        return self._admission.accepted

    @property
    def refused(self) -> Counter[str]:
        """Sockets and requests turned away so far, by reason."""
        return self._admission.refused

    @property
    def open_sockets(self) -> int:
        """Sockets held now, of any kind."""
        return len(self._admission.leases)

    @property
    def pending_heads(self) -> int:
        """Sockets whose request head is not whole or not judged yet."""
        return len(self._world.reading)

    @property
    def most_sockets(self) -> int:
        """Sockets that may be held at once."""
        return self._admission.most

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._port

    # ── life ────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Bind and listen; raises `StartError` with one sentence."""
        server = self._server
        if server.ssl_certificate:
            self._tls = _tls(server.ssl_certificate, server.ssl_key)
        sockets = await bind(server.host, server.port)
        self._listener = Listener(sockets, self._arrived, self._turned_away, self.refused)
        self._port = self._listener.port
        self._listener.start()

    def stop_listening(self) -> None:
        """No new connections; those that are open go on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    async def stop(self) -> None:
        """Abort whatever is left, and wait until it is gone."""
        self.stop_listening()
        for task in self._opening:
            task.cancel()
        for lease in tuple(self._admission.leases):
            if lease.transport is not None:
                lease.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await asyncio.gather(*self._opening, return_exceptions=True)
                await self._admission.empty()

    # ── a socket arrives ────────────────────────────────────────────────────────────────

    def _arrived(self, taken: socket.socket, address: str) -> None:
        key = None if self._world.proxies.trusts(address) else address_key(address)
        try:
            lease = self._admission.enter(key)
        except Refused as refused:
            self._say(taken, refused)
            taken.close()
            return
        task = asyncio.get_running_loop().create_task(self._open(taken, lease, address))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, taken: socket.socket, lease: Lease, address: str) -> None:
        """Give it a transport, after the TLS handshake if there is one."""
        loop = asyncio.get_running_loop()
        timeout = self._world.config.head_seconds if self._tls else None
        shutdown = SHUTDOWN_SECONDS if self._tls else None
        try:
            await loop.connect_accepted_socket(
                lambda: Peek(self._world, lease, address),
                taken,
                ssl=self._tls,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=shutdown,
            )
        except OSError:  # TLS errors are, too
            self.refused["tls"] += 1
            lease.release()
        except asyncio.CancelledError:
            lease.release()
            raise
        except Exception:
            log.exception("gateway.open_failed")
            lease.release()

    def _turned_away(self, taken: socket.socket) -> None:
        self._say(taken, busy("descriptors", FULL_SECONDS))

    def _say(self, taken: socket.socket, refused: Refused) -> None:
        """Tell it why, if one write can: a TLS client could not read it."""
        if self._tls is None:
            with contextlib.suppress(OSError):
                taken.send(refused.encode())


def _tls(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # nobody is there to ask
    except ssl.SSLError:
        raise StartError(
            f"{certificate} and {key} are not a PEM certificate and its unencrypted key."
        ) from None
    except OSError as error:
        raise StartError(f"Cannot read {certificate} or {key}: {error.strerror}.") from None
    return context
