"""``POST /api/v69/services/<name>/report``: other services say how their operations end.

Request ``{"ok": bool, "duration_ms"?, "error"?, "layer"?}``; the answer is the state that the
service's circuit breaker has now.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from fastws import policy
from fastws.errors import WireError
from fastws.pages.answers import Refused, json, read_object
from fastws.pages.deps import Deps
from fastws.pages.keys import ServiceKeys

__all__ = ["Reporting"]

BODY: Final = 4096
"""Bytes of the longest report."""


class Report(Struct):
    """How an operation ended."""

    ok: bool
    duration_ms: Annotated[float, Meta(ge=0, le=86_400_000)] = 0.0
    error: Annotated[str, Meta(max_length=200)] = ""
    layer: Literal["data", "contest", "wallet", "infrastructure"] | None = None


class Reporting:
    """The report route."""

    def __init__(self, deps: Deps, keys: ServiceKeys) -> None:
        self._keys = keys
        self._report = deps.report

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post("/api/v69/services/{name}/report", self.report)]

    async def report(self, request: web.Request) -> web.Response:
        """Take a report; what the breaker thinks of it."""
        await self._keys.admit(request)
        body = await read_object(request, BODY)
        name = request.match_info["name"]
        try:
            policy.check_name(name)
            said = msgspec.convert(body, Report)
            state = self._report(name, said.ok, said.duration_ms / 1000, said.error, said.layer)
        except msgspec.ValidationError as error:
            raise Refused(400, str(error)) from None
        except WireError as error:
            raise Refused(400, error.message) from None
        return json({"service": name, "state": state})
