"""The pages and their files.

What there is, is read once when the application is built: a request can name nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["Files"]

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
"""By suffix, because machines differ in what they call a script; anything else is text."""


class Files:
    """``/``, ``/skyduel`` and ``/static/…``, from one folder."""

    def __init__(self, folder: Path) -> None:
        found = (path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path for path in found}

    def routes(self) -> list[web.RouteDef]:
        """The pages and the files."""
        return [
            web.get("/", self.index),
            web.get("/skyduel", self.skyduel),
            web.get("/static/{name:.+}", self.static),
        ]

    async def index(self, request: web.Request) -> web.FileResponse:
        """The live page."""
        return self._file("index.html")

    async def skyduel(self, request: web.Request) -> web.FileResponse:
        """The game."""
        return self._file("skyduel.html")

    async def static(self, request: web.Request) -> web.FileResponse:
        """One file."""
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.FileResponse:
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        kind = TYPES.get(path.suffix, "text/plain; charset=utf-8")
        return web.FileResponse(path, headers={"Content-Type": kind})
