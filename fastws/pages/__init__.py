"""HTTP: login routes, the publish API, health, figures and the live page.

Everything a page or another service asks for without a WebSocket. It owns paths, cookies,
CORS and the JSON of errors; who somebody is it asks `fastws.identity`, what is published it
hands to a callable. Knows aiohttp; knows no channel and no endpoint. Source: wire.md A1.
"""

from fastws.pages.app import build, build_operations
from fastws.pages.deps import Deps, Publish
from fastws.pages.protocol import protocol_factory

__all__ = ["Deps", "Publish", "build", "build_operations", "protocol_factory"]
