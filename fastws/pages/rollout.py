"""What pages ask and say while one version replaces another: flags, and how they do.

``GET /api/v69/flags[?key=…]`` → ``{flags: {name: bool}}`` for whose session it is; ``key`` is any
text that stays the same for a visitor without one. ``POST /api/v69/telemetry`` takes ``{version,
endpoint, connected?, failed?, fell_back?, first_data_ms?, errors?}``; ``POST /api/v69/log-error``
what older pages send when something broke: ``{message, code?, version?, endpoint?}``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from fastws._core.limiter import Buckets
from fastws.errors import AuthError, Unavailable
from fastws.identity.addresses import address_key
from fastws.pages.answers import Refused, json, limited, read_object, world
from fastws.pages.auth import COOKIE
from fastws.pages.deps import Deps

__all__ = ["RolloutPages"]

log = structlog.get_logger()

BODY: Final = 16 * 1024
PER_MINUTE, AT_ONCE = 120, 60

Name = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, le=10_000)]
Milliseconds = Annotated[float, Meta(ge=0, le=600_000)]


class Telemetry(Struct):
    """What a page counted since it said so last."""

    version: Name
    endpoint: Name
    connected: Count = 0
    failed: Count = 0
    fell_back: Count = 0
    first_data_ms: Annotated[list[Milliseconds], Meta(max_length=100)] = []
    errors: Annotated[dict[Name, Count], Meta(max_length=50)] = {}


class PageError(Struct):
    """What broke on a page."""

    message: str
    code: str = "error"
    version: str = "unknown"
    endpoint: str = "unknown"


class RolloutPages:
    """The three routes. An address may ask so often."""

    def __init__(self, deps: Deps) -> None:
        self._authority = deps.authority
        self._clock = deps.clock
        self._flags = deps.flags
        self._rollout = deps.rollout
        self._asked = Buckets(PER_MINUTE / 60, AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/api/v69/flags", self.flags),
            web.post("/api/v69/telemetry", self.telemetry),
            web.post("/api/v69/log-error", self.log_error),
        ]

    def _charge(self, request: web.Request) -> str:
        address = world(request).peer_of(request).address
        limited(self._asked.take(address_key(address), self._clock()))
        return address

    async def flags(self, request: web.Request) -> web.Response:
        """What is on for whom this is."""
        self._charge(request)
        key: str | None = request.query.get("key", "")[:64] or None
        try:
            user, _ = await self._authority.session(request.cookies.get(COOKIE))
            key = user.wallet
        except (AuthError, Unavailable):
            log.debug("flags.anonymous")
        answer = json({"flags": self._flags.seen(key)})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def telemetry(self, request: web.Request) -> web.Response:
        """Count what a page counted."""
        self._charge(request)
        told = _read(await read_object(request, BODY), Telemetry)
        said = self._rollout.of(told.version, told.endpoint)
        said.connected += told.connected
        said.failed += told.failed
        said.fell_back += told.fell_back
        for milliseconds in told.first_data_ms:
            said.first_data.observe(milliseconds / 1000)
        for code, count in told.errors.items():
            self._rollout.error(said, code, count)
        return json({"success": True})

    async def log_error(self, request: web.Request) -> web.Response:
        """Write down what broke on a page: cut, and without secrets like every line."""
        address = self._charge(request)
        told = _read(await read_object(request, BODY), PageError)
        said = self._rollout.of(told.version, told.endpoint)
        self._rollout.error(said, told.code)
        log.warning(
            "page.error", address=address, message=told.message[:500], code=told.code[:64],
            version=told.version[:32], endpoint=told.endpoint[:32],
        )  # fmt: skip
        return json({"success": True})


def _read(body: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Refused(400, str(error)) from None
