"""What all pages share: JSON in and out, bodies with a limit, one shape of error.

An error is ``{"error": sentence}`` whatever went wrong, and never holds inner text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from fastws.errors import AuthError, Unavailable
from fastws.pages.deps import DEPS, Deps

__all__ = [
    "AUTH_BODY",
    "Handler",
    "Refused",
    "errors",
    "json",
    "limited",
    "read_object",
    "sentence",
    "world",
]

log = structlog.get_logger()

AUTH_BODY: Final = 16 * 1024
"""Bytes of the longest body of a login route."""

BODY_SECONDS: Final = 10.0
"""Seconds in which a body must have come."""

RETRY_SECONDS: Final = 5
"""What a client is told to wait when something of ours is away."""

_TEXTS: Final = {
    404: "Not found",
    405: "Method not allowed",
    408: "Request took too long",
    413: "Request too large",
    415: "Encoded bodies are not accepted",
    417: "Expectation failed",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """An answer that is an error: its status, sentence and headers."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=orjson.dumps(value, default=str),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return json({"error": text}, status, headers)


def sentence(status: int) -> str:
    """What a client reads of an HTTP status nobody chose a text for."""
    try:
        return _TEXTS.get(status) or HTTPStatus(status).phrase.capitalize()
    except ValueError:
        return "Error"


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into its JSON answer, and count the answers by route."""
    answer = await _answer(request, handler)
    resource = request.match_info.route.resource
    route = "unknown" if resource is None else resource.canonical
    request.app[DEPS].answered[route, str(answer.status)] += 1
    return answer


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return _error(refused.status, refused.text, refused.headers)
    except AuthError as error:
        return _error(error.status, error.text)
    except Unavailable:
        wait = {"Retry-After": str(RETRY_SECONDS)}
        return _error(503, "Service temporarily unavailable", wait)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        allow = {"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else None
        return _error(answer.status, sentence(answer.status), allow)
    except ConnectionError:
        raise  # the client has gone; there is nobody to answer
    except Exception:
        log.exception("http.failed", method=request.method, path=request.path)
        return _error(500, "Internal server error")


async def read_object(request: web.Request, limit: int) -> dict[str, Any]:
    """The JSON object in a body of at most ``limit`` bytes; `Refused` if it is none."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, sentence(415))
    if (request.content_length or 0) > limit:
        raise Refused(413, sentence(413))
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise Refused(413, sentence(413))
    except TimeoutError:
        raise Refused(408, sentence(408), {"Connection": "close"}) from None
    except (web.RequestPayloadError, ValueError):
        raise Refused(400, "Bad request") from None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body is not a JSON object")
    return value


def limited(retry_ms: int) -> None:
    """Raise 429 unless a bucket granted (``retry_ms`` is 0)."""
    if retry_ms:
        wait = {"Retry-After": str(-(-retry_ms // 1000))}
        raise Refused(429, "Too many requests", wait)


def world(request: web.Request) -> Deps:
    """What this application was built with."""
    return request.app[DEPS]
