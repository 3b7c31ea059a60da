"""A transport becomes a WebSocket: picows gets it, a head it accepts, and what came after.

The only Python file that speaks picows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]

from fastws._core.socket import Socket
from fastws.gateway.handshake import Handshake
from fastws.identity import choose_subprotocol

__all__ = ["hand_over"]

BUFFER_BYTES = 2048
"""First size of a connection's read buffer; most messages are smaller."""


class _Protocol(WSProtocol):  # type: ignore[misc] # picows has no stub of its protocol
    """picows' protocol, which says when the socket is gone."""

    __slots__ = ("gone",)

    gone: Callable[[], None]

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            super().connection_lost(exc)
        finally:
            self.gone()


def hand_over(
    transport: asyncio.Transport,
    handshake: Handshake,
    rest: bytes,
    socket: Socket,
    max_message: int,
    gone: Callable[[], None],
    deflate: str | None = None,
) -> None:
    """Answer 101 on ``transport``, whose reading is paused, and go on with ``rest``.

    ``deflate`` is the answer to an offer of compression that the socket keeps to. From here on
    the socket is `Socket`'s; ``gone()`` is called when it has ended.
    """
    response = WSUpgradeResponse.create_101_response(_extra(handshake, deflate))

    def accept(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        return WSUpgradeResponseWithListener(response, socket)

    protocol = _Protocol(
        None, None, False, accept, socket, True, None, False, 0, 0,
        WSAutoPingStrategy.PING_WHEN_IDLE, False, max_message, None, BUFFER_BYTES,
    )  # fmt: skip
    protocol.gone = gone
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    _feed(transport, protocol, handshake.clean())
    # before the rest, not after: the messages in it may have reading paused again
    if not transport.is_closing():
        transport.resume_reading()
    _feed(transport, protocol, rest)


def _extra(handshake: Handshake, deflate: str | None) -> dict[str, str]:
    extra = {"Server": "fastws"}
    chosen = choose_subprotocol(handshake.subprotocols)
    if chosen is not None:
        extra["Sec-WebSocket-Protocol"] = chosen
    if deflate is not None:
        extra["Sec-WebSocket-Extensions"] = deflate
    return extra


def _feed(transport: asyncio.Transport, protocol: WSProtocol, data: bytes) -> None:
    """Bytes as if they had just been read, in pieces that the buffer takes."""
    view = memoryview(data)
    while view and not transport.is_closing():
        room = protocol.get_buffer(-1)
        size = min(len(room), len(view))
        room[:size] = view[:size]
        protocol.buffer_updated(size)
        view = view[size:]
