"""What ``POST /api/v69/publish`` may push into: tokens into the market, the rest into streams.

Joins the pages to the domain and the hub; decides nothing about who may publish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from fastws.breaker import Breaker
from fastws.domain.market import Market, TokenPatch
from fastws.errors import Code, Unavailable, WireError
from fastws.hub import Hub, Stream

__all__ = ["Publisher"]

TOKENS: Final = "token-data/"
TOKEN_TYPES: Final = frozenset({"token_update", "market_update", "token_data"})


class Publisher:
    """Publishes one message of a batch; `WireError` says what is wrong with it."""

    def __init__(self, hub: Hub, market: Market, breaker: Breaker) -> None:
        self._hub = hub
        self._market = market
        self._breaker = breaker

    async def __call__(self, channel: str, type_: str, data: Any) -> Mapping[str, Any]:
        """Publish ``data`` under ``type_`` to a channel's full name."""
        if channel.startswith(TOKENS):
            return self._tokens(type_, data)
        found = self._hub.find(channel)
        if found is None:
            raise WireError(Code.UNKNOWN_CHANNEL, f"Unknown channel: {channel}")
        if not isinstance(found, Stream):
            text = f"{channel} is a table that the server keeps; it cannot be published to"
            raise WireError(Code.INVALID_PAYLOAD, text)
        with self._breaker.guard(Unavailable):
            position = await found.publish(type_, {"data": data})
        return {"epoch": position.epoch, "offset": position.offset}

    def _tokens(self, type_: str, data: Any) -> Mapping[str, Any]:
        if type_ not in TOKEN_TYPES:
            expected = ", ".join(sorted(TOKEN_TYPES))
            raise WireError(Code.INVALID_PAYLOAD, f"token-data takes the types {expected}")
        try:
            patches = msgspec.convert(data if isinstance(data, list) else [data], list[TokenPatch])
            done = self._market.publish(patches)
        except (msgspec.ValidationError, ValueError) as error:
            raise WireError("INVALID_DATA", str(error)) from None
        table = self._market.table
        return {"epoch": table.epoch, "tick": table.tick + 1, "count": done.applied}
