"""Figures and health for operators, and the status that pages poll.

``/livez``: restart me. ``/readyz``: send me nobody. ``/startupz``: wait. The reason of a no
is a word or two, never inner text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from fastws.pages.answers import json
from fastws.pages.deps import Deps, Question

__all__ = ["operations", "status"]

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


def operations(deps: Deps) -> list[web.RouteDef]:
    """``/metrics`` and the three questions an orchestrator asks."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=deps.metrics(), headers={"Content-Type": METRICS_TYPE})

    return [
        web.get("/metrics", metrics),
        web.get("/livez", _asked(deps.live)),
        web.get("/readyz", _asked(deps.ready)),
        web.get("/startupz", _asked(deps.started)),
    ]


def _asked(question: Question) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        why_not = question()
        return json({"error": why_not}, 503) if why_not else json({"status": "ok"})

    return answer


def status(deps: Deps) -> list[web.RouteDef]:
    """``/api/status`` (503 in maintenance) and the state of maintenance."""

    async def system(request: web.Request) -> web.Response:
        now = dict(deps.status())
        if now.get("status") == "maintenance":
            return json({"error": now.get("message"), **now}, 503)
        return json(now)

    async def maintenance(request: web.Request) -> web.Response:
        return json(dict(deps.maintenance()))

    return [
        web.get("/api/status", system),
        web.get("/api/admin/maintenance/status", maintenance),
    ]
