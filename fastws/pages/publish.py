"""``POST /api/v69/publish``: other services push into any channel, a batch at a time.

Request ``{"messages": [{"channel": "<endpoint>/<label>", "type": …, "data": …}, …]}``;
the answer has one result for each, in the same order, so that one bad item spoils no other.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from aiohttp import web

from fastws import policy
from fastws.errors import Unavailable, WireError
from fastws.pages.answers import Refused, json, read_object
from fastws.pages.deps import Deps
from fastws.pages.keys import ServiceKeys

__all__ = ["BODY", "MESSAGES", "Publishing"]

log = structlog.get_logger()

BODY: Final = 1024 * 1024
"""Bytes of the longest batch."""

MESSAGES: Final = 1000
"""Messages in a batch."""

LONGEST_TYPE: Final = 64


class Publishing:
    """The publish route."""

    def __init__(self, deps: Deps, keys: ServiceKeys) -> None:
        self._keys = keys
        self._publish = deps.publish

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post("/api/v69/publish", self.publish)]

    async def publish(self, request: web.Request) -> web.Response:
        """Publish a batch and say of each message what became of it."""
        publisher = await self._keys.admit(request)
        body = await read_object(request, BODY)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused(400, "messages must be a list of {channel, type, data}")
        if len(messages) > MESSAGES:
            raise Refused(413, f"At most {MESSAGES} messages at once")
        results = []
        for message in messages:
            results.append(await self._one(message))
            await asyncio.sleep(0)  # a long batch lets others have their turn
        published = sum(result["ok"] for result in results)
        refused = len(results) - published
        log.info("publish.batch", publisher=publisher, published=published, refused=refused)
        return json({"published": published, "results": results})

    async def _one(self, message: Any) -> dict[str, Any]:
        try:
            channel, type_, data = _read(message)
            return {"ok": True, **await self._publish(channel, type_, data)}
        except WireError as error:
            return {"ok": False, "code": error.code, "error": error.message}
        except Unavailable:
            return _failed("SERVICE_UNAVAILABLE", "Service temporarily unavailable")
        except Exception:
            log.exception("publish.failed")
            return _failed("MESSAGE_PROCESSING_ERROR", "Error processing message")


def _read(message: Any) -> tuple[str, str, Any]:
    if not isinstance(message, dict):
        raise WireError("INVALID_PAYLOAD", "A message is an object")
    channel, type_ = message.get("channel"), message.get("type")
    if not isinstance(channel, str):
        channel = ""
    endpoint, slash, label = channel.partition("/")
    if not endpoint or not slash:
        raise WireError("INVALID_PAYLOAD", "channel must be <endpoint>/<channel>")
    policy.check_name(endpoint)
    policy.check_name(label)
    if not isinstance(type_, str) or not 1 <= len(type_) <= LONGEST_TYPE or not type_.isprintable():
        raise WireError("INVALID_PAYLOAD", f"type must be a text of 1 to {LONGEST_TYPE} characters")
    if "data" not in message:
        raise WireError("INVALID_PAYLOAD", "data is missing")
    return channel, type_, message["data"]


def _failed(code: str, text: str) -> dict[str, Any]:
    return {"ok": False, "code": code, "error": text}
