"""Builds the applications: every route, in one place."""

from __future__ import annotations

from aiohttp import web

from fastws.pages import health
from fastws.pages.answers import errors
from fastws.pages.auth import Auth
from fastws.pages.deps import DEPS, Deps
from fastws.pages.files import Files
from fastws.pages.keys import ServiceKeys
from fastws.pages.origin import cors, decorate
from fastws.pages.publish import BODY, Publishing
from fastws.pages.rollout import RolloutPages
from fastws.pages.services import Reporting

__all__ = ["build", "build_operations"]


def build(deps: Deps) -> web.Application:
    """The pages of the main port."""
    app = _empty(deps)
    auth = Auth(deps)
    app.add_routes(auth.routes())
    keys = ServiceKeys(deps, auth)
    app.add_routes(Publishing(deps, keys).routes())
    app.add_routes(Reporting(deps, keys).routes())
    app.add_routes(RolloutPages(deps).routes())
    app.add_routes(health.status(deps))
    if deps.operations:
        app.add_routes(health.operations(deps))
    app.add_routes(Files(deps.files).routes())
    return app


def build_operations(deps: Deps) -> web.Application:
    """Figures and health alone, for a port of their own."""
    app = _empty(deps)
    app.add_routes(health.operations(deps))
    return app


def _empty(deps: Deps) -> web.Application:
    app = web.Application(middlewares=[errors, cors], client_max_size=BODY)
    app[DEPS] = deps
    app.on_response_prepare.append(decorate)
    return app
