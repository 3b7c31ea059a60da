"""Which pages may ask, and what browsers are told: CORS and the security headers.

A page of a foreign origin is never told an answer, and may not even ask for what changes
something: a form post carries the cookie without a preflight.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from fastws.pages.answers import Handler, Refused, world

__all__ = ["SECURITY", "cors", "decorate"]

API: Final = "/api/"

METHODS: Final = "GET, HEAD, POST, OPTIONS"
HEADERS: Final = "Authorization, Content-Type, X-Service-Key"
PREFLIGHT_SECONDS: Final = 600

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

SECURITY: Final = {
    "Server": "fastws",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@web.middleware
async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer preflights; refuse changes asked for by pages of foreign origins."""
    origin = request.headers.get("Origin")
    if origin is None or not request.path.startswith(API):
        return await handler(request)
    listed = _listed(request, origin)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        if not listed:
            raise Refused(403, "Origin not allowed")
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": HEADERS,
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            },
        )
    if not listed and request.method not in ("GET", "HEAD", "OPTIONS"):
        raise Refused(403, "Origin not allowed")
    return await handler(request)


async def decorate(request: web.Request, response: web.StreamResponse) -> None:
    """The headers that every answer carries, an error like any other."""
    headers = response.headers
    headers.update(SECURITY)
    if not request.path.startswith(API):
        headers.setdefault("Cache-Control", "no-cache")
        return
    headers.setdefault("Cache-Control", "no-store")
    headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is not None and _listed(request, origin):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"


def _listed(request: web.Request, origin: str) -> bool:
    deps = world(request)
    peer = deps.peer_of(request)
    own = f"{'https' if peer.secure else 'http'}://{peer.host}"
    return deps.origins.lists(origin, own)
