"""The JSON that older clients read: one fragment per token, one list of all (wire.md A5).

Owns the spelling of a token in JSON and the size of the full list. A fragment is written once
per change of its token and the list once per tick, whoever asks. It reads sealed values only
and knows nothing of subscribers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

import orjson
import structlog
from msgspec import to_builtins

from fastws.domain.market.decimals import Scaled, text
from fastws.domain.market.tokens import FIGURES, Token

__all__ = ["LIST_BYTES", "Fragment", "Listing"]

log = structlog.get_logger()

LIST_BYTES: Final = 1_048_576 - 1024
"""Bytes of the longest list: clients refuse frames over 1 MiB; the rest is the envelope."""


class Sealed(Protocol):
    """What a listing needs of the table."""

    @property
    def tick(self) -> int: ...
    def get(self, key: str) -> dict[str, Any] | None: ...
    def rtick(self, key: str) -> int: ...


class Fragment:
    """The JSON object of one token: what never moves, the numbers, and the links."""

    __slots__ = ("_head", "_links", "full", "known", "lean", "tick", "token")

    def __init__(self, token: Token) -> None:
        self.known: set[str] = set()
        self.describe(token)

    def describe(self, token: Token) -> None:
        """Take new metadata; the fragment is written again when next asked for."""
        self.token = token
        head: dict[str, Any] = {
            "id": token.id,
            "symbol": token.symbol,
            "name": token.name or token.symbol,
            "address": token.address,
        }
        if token.decimals is not None:
            head["decimals"] = token.decimals
        if token.color:
            head["color"] = token.color
        links: dict[str, Any] = {}
        for name in ("image_url", "socials", "websites"):
            value = getattr(token, name)
            if value:
                links[name] = to_builtins(value)
        self._head = orjson.dumps(head)[:-1]
        self._links = b"," + orjson.dumps(links)[1:-1] if links else b""
        self.full = self.lean = b""
        self.tick = -1

    def refresh(self, table: Sealed) -> bool:
        """Bring the fragment up to the sealed row; False while the row is not sealed yet."""
        tick = table.rtick(self.token.address)
        if tick == self.tick and self.full:
            return True
        row = table.get(self.token.address)
        if row is None:
            return False
        parts = []
        for name in FIGURES:
            if name in self.known:
                value: Scaled = row[name]
                parts.append(f',"{name}":{text(*value)}')
        self.lean = self._head + "".join(parts).encode() + b"}"
        self.full = self.lean[:-1] + self._links + b"}"
        self.tick = tick
        return True


class Listing:
    """All tokens as one JSON array, listed ones first, written once per tick."""

    def __init__(self, table: Sealed) -> None:
        self._table = table
        self._tick = -1
        self._json = b"[]"
        self._told = (False, False)

    def json(self, fragments: Iterable[Fragment]) -> bytes:
        """The array at the table's sealed tick.

        When it would pass `LIST_BYTES`, tokens lose their links from the end, then tokens are
        left out from the end: the frame must be readable. A token asked for has its links.
        """
        tick = self._table.tick
        if tick == self._tick:
            return self._json
        listed: list[Fragment] = []
        others: list[Fragment] = []
        for fragment in fragments:
            if fragment.refresh(self._table):
                (listed if fragment.token.listed else others).append(fragment)
        self._json = b"[" + b",".join(self._shorten(listed + others)) + b"]"
        self._tick = tick
        return self._json

    def _shorten(self, fragments: list[Fragment]) -> list[bytes]:
        full = [fragment.full for fragment in fragments]
        if _size(full) <= LIST_BYTES:
            self._say(0, 0)
            return full
        parts = [fragment.lean for fragment in fragments]
        room = LIST_BYTES - _size(parts)
        kept = len(parts)
        while room < 0:
            kept -= 1
            room += len(parts[kept]) + 1
        linked = 0
        while linked < kept:
            room -= len(full[linked]) - len(parts[linked])
            if room < 0:
                break
            parts[linked] = full[linked]
            linked += 1
        self._say(len(parts) - kept, kept - linked)
        return parts[:kept]

    def _say(self, left_out: int, without_links: int) -> None:
        """Tell the operator once per state: the figures move with every tick."""
        state = (left_out > 0, without_links > 0)
        if state != self._told and any(state):
            log.warning("market.list_shortened", left_out=left_out, without_links=without_links)
        self._told = state


def _size(parts: list[bytes]) -> int:
    return sum(map(len, parts)) + len(parts) + 1
