"""aiohttp's connection handler, made to answer what it cannot parse as all else is answered.

Its own answer to a malformed request quotes the parser. Pinned to the minor version of aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fastws.pages.answers import sentence
from fastws.pages.origin import SECURITY

__all__ = ["protocol_factory"]

KEEP_ALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
"""Seconds for which the rest of a refused body is swallowed, so that the client reads why."""


class _Protocol(RequestHandler):
    __slots__ = ()

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


def protocol_factory(runner: web.BaseRunner) -> Callable[[], asyncio.Protocol]:
    """What the gateway calls for each HTTP connection; ``runner`` has been set up."""
    server = runner.server
    if server is None:
        raise ValueError("the runner has not been set up")

    def make() -> asyncio.Protocol:
        return _Protocol(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )

    return make
