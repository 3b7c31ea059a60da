"""aiohttp's connection handler, with two things changed.

What it cannot parse it answers as all else is answered: its own answer quotes the parser. And
a WebSocket handshake on a connection that has served pages is handed back, with the socket, to
whoever speaks WebSocket. Pinned to the minor version of aiohttp, whose internals both touch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fastws.pages.answers import sentence
from fastws.pages.origin import SECURITY

__all__ = ["protocol_factory"]

KEEP_ALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
"""Seconds for which the rest of a refused body is swallowed, so that the client reads why."""


HandBack = Callable[[bytes], None]
"""Takes the socket back: the handshake's head and what the client sent after it."""


class _Protocol(RequestHandler):
    __slots__ = ("hand_back",)

    hand_back: HandBack | None

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        # The earlier requests have been answered when this is called. The parser has stopped
        # behind an upgrade it allows; if more requests wait it stopped behind a later one.
        if self.hand_back is not None and self._upgraded and not self._messages:
            self._leave(request, self.hand_back)
            raise ConnectionError("the connection is no longer ours")
        return await super()._handle_request(request, start_time, request_handler)

    def _leave(self, request: web.BaseRequest, hand_back: HandBack) -> None:
        """Forget the transport as if it had been lost, without closing it."""
        transport, self.transport = self.transport, None
        rest, self._message_tail = self._message_tail, b""
        self.connection_lost(None)
        if transport is not None and not transport.is_closing():
            line = f"{request.method} {request.raw_path} HTTP/{'.'.join(map(str, request.version))}"
            fields = [name + b": " + value for name, value in request.raw_headers]
            hand_back(b"\r\n".join([line.encode("utf-8"), *fields, b"", b""]) + rest)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer = web.Response(
            status=status,
            body=orjson.dumps({"error": sentence(status)}),
            headers=SECURITY,
            content_type="application/json",
            charset="utf-8",
        )
        answer.force_close()
        return answer


def protocol_factory(
    runner: web.BaseRunner,
) -> Callable[[HandBack | None], asyncio.Protocol]:
    """What the gateway calls for each HTTP connection; ``runner`` has been set up.

    Without anybody to hand a handshake to, it is a request like any other.
    """
    server = runner.server
    if server is None:
        raise ValueError("the runner has not been set up")

    def make(hand_back: HandBack | None = None) -> asyncio.Protocol:
        made = _Protocol(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        made.hand_back = hand_back
        return made

    return make
