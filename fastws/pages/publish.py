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
from fastws.errors import AuthError, Unavailable, WireError
from fastws.identity import Credential, Role
from fastws.pages.answers import Refused, json, read_object
from fastws.pages.auth import Auth, same
from fastws.pages.deps import Deps

__all__ = ["BODY", "MESSAGES", "Publishing"]

log = structlog.get_logger()

BODY: Final = 1024 * 1024
"""Bytes of the longest batch."""

MESSAGES: Final = 1000
"""Messages in a batch."""

LONGEST_TYPE: Final = 64


class Publishing:
    """The publish route. Failed keys are charged to the address like a failed login."""

    def __init__(self, deps: Deps, auth: Auth) -> None:
        self._keys = tuple(deps.auth.service_keys)
        self._authority = deps.authority
        self._auth = auth
        self._publish = deps.publish

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post("/api/v69/publish", self.publish)]

    async def publish(self, request: web.Request) -> web.Response:
        """Publish a batch and say of each message what became of it."""
        publisher = await self._admit(request)
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

    async def _admit(self, request: web.Request) -> str:
        """Who publishes: a service by its key, or an admin by his token."""
        try:
            return await self._identify(request)
        except (AuthError, Refused):
            self._auth.charge(request)  # guessing is limited, publishing is not
            raise

    async def _identify(self, request: web.Request) -> str:
        key = request.headers.get("X-Service-Key")
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        given = bearer if key is None else key
        if not given:
            raise AuthError("Authentication required", "no_key")
        # All are compared, so that the time does not tell which one was nearly right.
        if sum(same(given, known) for known in self._keys):
            return "service"
        if key is not None:
            log.warning("auth.failed", source="service_key", reason="bad_key")
            raise AuthError("Invalid service key", "bad_key")
        identity = await self._authority.identify(Credential("header", bearer))
        if not policy.has_role(identity, Role.ADMIN):
            raise Refused(403, "Forbidden")
        return identity.wallet or ""


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
