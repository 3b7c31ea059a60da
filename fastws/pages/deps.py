"""What the pages are given: one record, so that a test can hand down its own world."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from msgspec import Struct, field

from fastws.config import AuthConfig
from fastws.connection import Peer
from fastws.domain.flags import Flags
from fastws.domain.rollout import Rollout
from fastws.identity import Authority, OriginRule

__all__ = ["DEPS", "Deps", "Publish", "Question", "Report"]

Publish = Callable[[str, str, Any], Awaitable[Mapping[str, Any]]]
"""``(channel, type, data)`` → what the publisher reads of it (epoch, offset).

``channel`` is a full name, ``<endpoint>/<label>``. Raises `WireError` for one that does not
exist or a refused message, `Unavailable` when it cannot be had now.
"""

Report = Callable[[str, bool, float, str, Any], str]
"""``(service, ok, seconds, error, layer)`` → the state of its breaker. Raises `WireError`."""

Question = Callable[[], str]
"""Empty: yes. Else why not, in a word or two for the operator."""


def _yes() -> str:
    return ""


class Deps(Struct, frozen=True, kw_only=True):
    """The world of the pages."""

    auth: AuthConfig
    development: bool
    authority: Authority
    origins: OriginRule
    peer_of: Callable[[web.BaseRequest], Peer]
    """Address, scheme and host as the client used them (proxies already resolved)."""
    publish: Publish
    status: Callable[[], Mapping[str, Any]]
    """``{status, message, …}`` of wire.md A4, ``system_status``."""
    maintenance: Callable[[], Mapping[str, Any]]
    """``{mode, message, updated_at}`` of wire.md A4."""
    metrics: Callable[[], bytes]
    report: Report
    """How an operation of another service ended."""
    flags: Flags
    rollout: Rollout
    live: Question = _yes
    ready: Question = _yes
    started: Question = _yes
    files: Path = Path(__file__).parent.parent / "web"
    operations: bool = True
    """Whether figures and health are served here, too (not on a port of their own)."""
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(route, status) → answers."""
    clock: Callable[[], float] = time.monotonic


DEPS = web.AppKey("deps", Deps)
