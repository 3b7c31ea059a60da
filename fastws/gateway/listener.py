"""Listening sockets, and taking connections off them without ever being stuck.

libuv would accept all that wait before the first of them is looked at: a burst of a thousand
eats the descriptors that were kept free, and the rest is closed without a word. So sockets
are accepted here, and one that is refused is gone before the next is taken. An admitted one
becomes a transport of the loop like any other. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from fastws.errors import StartError

__all__ = ["Listener", "bind"]

log = structlog.get_logger()

BACKLOG: Final = 1024
"""Connections that the kernel completes before we take them."""

RECEIVE_BYTES: Final = 16 * 1024
"""Kernel buffer of a connection: what a flood can have us read at once."""

UNSENT_BYTES: Final = 16 * 1024
"""Bytes the kernel takes for a peer that does not read, before it says full."""

AT_ONCE: Final = 64
"""Sockets taken before the loop looks at its other work."""

PAUSE_SECONDS: Final = 0.5
"""How long nobody is taken while the system has no descriptor left at all."""

_NO_DESCRIPTORS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


async def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of ``host``; `StartError` says why there are none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise StartError(f"server.host: {host!r} is no address and no known name.") from None
    both = len({family for family, *_ in found}) > 1
    listening: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            if listening and port == 0:  # the first has picked one for all
                address = (address[0], listening[0].getsockname()[1], *address[2:])
            made = _open(family, address, only_v6=both)
            if made is not None:
                listening.append(made)
    except OSError as error:
        for opened in listening:
            opened.close()
        raise StartError(_sentence(host, port, error)) from None
    if not listening:
        raise StartError(f"server.host: this machine has no address family of {host!r}.")
    return listening


def _open(family: int, address: tuple[object, ...], *, only_v6: bool) -> socket.socket | None:
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None  # the name has an IPv6 address, the machine has no IPv6
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        # Accepted sockets inherit these. A receive buffer must be set before the connection is.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host or '*'} is taken; stop who uses it or set server.port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs privileges; set server.port to one above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"server.host: {host!r} is not an address of this machine."
    return f"Cannot listen on {host or '*'}:{port}: {os.strerror(error.errno or 0)}."


class Listener:
    """Takes connections and hands each to ``arrived(socket, address)``, which owns it then.

    ``turned_away(socket)`` is given what was taken with the last descriptor, to be told so; it
    is closed here.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        arrived: Callable[[socket.socket, str], None],
        turned_away: Callable[[socket.socket], None],
        refused: Counter[str],
    ) -> None:
        self._sockets = sockets
        self._arrived = arrived
        self._turned_away = turned_away
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._spare: int | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._short = False  # of descriptors; said once, not for each
        self.port: int = sockets[0].getsockname()[1]

    def start(self) -> None:
        """Begin to take connections."""
        self._keep_spare()
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def stop(self) -> None:
        """Take no more; the port is free."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self._sockets = []
        self._drop_spare()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                taken, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    log.exception("gateway.accept_failed")
                    self._rest()
                    return
                self._say_short(error)
                if not self._turn_away(listening):
                    return
            else:
                self._short = False
                taken.setblocking(False)
                self._arrived(taken, address[0])

    def _turn_away(self, listening: socket.socket) -> bool:
        """Take one connection with the spare descriptor, to tell it no; whether to go on.

        Left alone it would keep the listening socket readable, and the loop busy for nothing.
        """
        if self._spare is None:
            self._rest()
            return False
        self._drop_spare()
        try:
            taken, _ = listening.accept()
        except OSError:
            return False
        else:
            self._refused["descriptors"] += 1
            with contextlib.suppress(OSError), taken:
                taken.setblocking(False)
                self._turned_away(taken)
            return True
        finally:
            self._keep_spare()

    def _say_short(self, error: OSError) -> None:
        if not self._short:
            self._short = True
            log.error("gateway.no_descriptors", error=os.strerror(error.errno or 0))

    def _rest(self) -> None:
        """Let everybody wait in the kernel for a while."""
        if self._pause is None:
            for listening in self._sockets:
                self._loop.remove_reader(listening)
            self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self.start()

    def _keep_spare(self) -> None:
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _drop_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
