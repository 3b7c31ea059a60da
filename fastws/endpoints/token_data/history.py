"""History: candles of a token, as stored and as they move (docs/wire.md, "History").

Owns their spelling on the wire; how candles are made is the domain's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import orjson
from msgspec import Meta

from fastws.connection import Connection
from fastws.domain.market import Market
from fastws.domain.market.candles import Candles
from fastws.endpoint import Endpoint, command
from fastws.endpoints.token_data.views import Views
from fastws.errors import WireError
from fastws.hub import Channel
from fastws.store.candles import RESOLUTIONS
from fastws.wire import Message, Reply, iso

__all__ = ["History"]

PREFIX: Final = "candles."
MOST: Final = 1000
"""Candles of one answer."""

FOR_EVER: Final = 2**53
"""Unix seconds after everything."""


class GetHistory(Message):
    """``get_history``: the last ``limit`` candles with ``since <= time < until`` (Unix seconds).

    ``symbol`` may be an address.
    """

    symbol: str
    resolution: str = "1m"
    since: Annotated[int, Meta(ge=0, le=FOR_EVER)] = 0
    until: Annotated[int, Meta(ge=0, le=FOR_EVER)] = FOR_EVER
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 300


class History(Endpoint):
    """The part of token-data that knows the past."""

    _market: Market
    _candles: Candles
    _charts: Views

    def is_public(self, label: str) -> bool:
        """``candles.<resolution>.<symbol or address>``, for anybody."""
        return label.startswith(PREFIX) or super().is_public(label)

    def channel(self, label: str) -> Channel | None:
        """The candles of a token there is, in a resolution there is."""
        if not label.startswith(PREFIX):
            return super().channel(label)
        return self._charts.find(label, lambda: self._encoder(label))

    def _encoder(self, label: str) -> Callable[[int], tuple[bytes, ...]] | None:
        resolution, _, name = label.removeprefix(PREFIX).partition(".")
        seconds = RESOLUTIONS.get(resolution)
        if seconds is None or self._market.resolve(name) is None:
            return None
        head = {"type": "candle", "symbol": name, "resolution": resolution}
        tail = b',"channel":' + orjson.dumps(label) + b',"timestamp":"'

        def encode(since: int) -> tuple[bytes, ...]:
            """The end of a candle that is over, if it was not told, and the open one."""
            key = self._market.resolve(name)
            if key is None:
                return ()
            front = orjson.dumps({**head, "address": key})[:-1] + b',"candle":'
            back = tail + iso(self.clock()).encode() + b'"}'
            bars = self._candles.newest(key, seconds, since)[-2:]
            return tuple(front + bar.json().encode() + back for bar in bars)

        return encode

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """The open candle; what came before it is asked for."""
        if not label.startswith(PREFIX):
            return list(await super().initial(conn, label))
        encode = self._encoder(label)
        return [] if encode is None else list(encode(-1)[-1:])

    @command("get_history", invalid="INVALID_REQUEST", cost=5)
    async def get_history(self, conn: Connection, msg: GetHistory) -> Reply:
        """Candles of a token, oldest first; the last one may still move."""
        seconds = RESOLUTIONS.get(msg.resolution)
        if seconds is None:
            text = f"resolution is one of {', '.join(RESOLUTIONS)}"
            raise WireError("INVALID_RESOLUTION", text)
        key = self._market.resolve(msg.symbol)
        if key is None:
            raise WireError("TOKEN_NOT_FOUND", f"Token {msg.symbol[:64]} not found")
        found = await self._candles.history(key, seconds, msg.since, msg.until, msg.limit)
        fields: dict[str, Any] = {"symbol": msg.symbol, "address": key}
        candles = orjson.Fragment(f"[{','.join(found)}]".encode())
        return Reply("history", **fields, resolution=msg.resolution, candles=candles)
