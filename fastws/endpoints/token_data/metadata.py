"""Metadata: what tokens are called and look like, and notices when that changes.

Owns their spelling on the wire (docs/wire.md, "Metadata").
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import to_builtins

from fastws.connection import Connection
from fastws.domain.market import Market, Token
from fastws.domain.market.notices import Notices
from fastws.endpoint import Endpoint, command
from fastws.errors import Code, WireError
from fastws.hub import Channel, Hub
from fastws.wire import Message, Reply

__all__ = ["Metadata", "announce_metadata"]

LABEL: Final = "public.metadata"


class GetTokenMetadata(Message):
    """``get_token_metadata``: of symbols or addresses."""

    symbols: list[str]


class Metadata(Endpoint):
    """The part of token-data that says what tokens are."""

    _market: Market

    def is_public(self, label: str) -> bool:
        """``public.metadata``, for anybody."""
        return label == LABEL or super().is_public(label)

    def channel(self, label: str) -> Channel | None:
        """``public.metadata`` beside the others'."""
        if label == LABEL:
            return self.hub.stream(f"{self.path}/{label}")
        return super().channel(label)

    @command("get_token_metadata", invalid="INVALID_REQUEST", cost=5)
    async def get_token_metadata(self, conn: Connection, msg: GetTokenMetadata) -> Reply:
        """What tokens are called, their links and pictures; names that mean none are listed."""
        names = list(dict.fromkeys(msg.symbols))
        most = self.base.limits.symbols
        if len(names) > most:
            raise WireError(Code.TOO_MANY_ROWS, f"At most {most} tokens at once", limit=most)
        found, unknown = [], []
        for name in names:
            key = self._market.resolve(name)
            token = None if key is None else self._market.metadata(key)
            if token is None:
                unknown.append(name)
            else:
                found.append(shape(token))
        return Reply("token_metadata", tokens=found, unknown=unknown)


async def announce_metadata(hub: Hub, notices: Notices) -> None:
    """Publish what changed since the last call."""
    for token, fields in notices.take():
        changed = {name: {"from": old, "to": new} for name, (old, new) in fields.items()}
        said = {"address": token.address, "symbol": token.symbol, "changed": changed}
        await hub.stream(f"token-data/{LABEL}").publish("token_metadata_changed", said)


def shape(token: Token) -> dict[str, Any]:
    """Metadata in JSON."""
    made: dict[str, Any] = to_builtins(token)
    return made
