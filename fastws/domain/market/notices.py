"""Notices of changed metadata: what a token was called and is called now.

Owns the changes nobody was told of yet. Several of one token before a notice are one notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import to_builtins

from fastws.domain.market.book import Market
from fastws.domain.market.tokens import Token

__all__ = ["Changed", "Notices"]


class Changed(NamedTuple):
    """A token and its fields that changed, each with (old, new)."""

    token: Token
    fields: dict[str, tuple[Any, Any]]


class Notices:
    """Changes of the metadata in ``market``."""

    def __init__(self, market: Market) -> None:
        self._before: dict[str, Token] = {}
        self._market = market
        self.told = 0
        """Notices since the start."""
        market.on_described.append(self._described)

    def _described(self, old: Token, new: Token) -> None:
        self._before.setdefault(new.address, old)

    def take(self) -> Iterator[Changed]:
        """What changed since the last call; a token that is gone is left out."""
        before, self._before = self._before, {}
        for address, old in before.items():
            new = self._market.metadata(address)
            if new is None or new == old:
                continue
            self.told += 1
            yield Changed(new, _difference(old, new))


def _difference(old: Token, new: Token) -> dict[str, tuple[Any, Any]]:
    return {
        name: (to_builtins(getattr(old, name)), to_builtins(getattr(new, name)))
        for name in Token.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    }
