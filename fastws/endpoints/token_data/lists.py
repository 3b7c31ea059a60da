"""Prices: the lists of all tokens, single tokens, and what publishers say (wire.md A5).

Owns the legacy frames' channels and rates: all tokens now and then, one token at most once a
second. A partial ``token_update`` is never sent: clients take it for the whole list. Knows the
market, not where prices come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

import orjson

from fastws import policy
from fastws.config import MarketConfig
from fastws.connection import Connection
from fastws.domain.market import Market, TokenPatch
from fastws.endpoint import Base, Endpoint, command
from fastws.endpoints.token_data.views import Views
from fastws.errors import Code, WireError
from fastws.hub import Channel, Subscription
from fastws.hub.view import Encode
from fastws.identity import Role
from fastws.wire import Message, Reply, Subscribe

__all__ = ["Lists"]

TOKENS: Final = "public.tokens"
MARKET: Final = "public.market"
PREFIX: Final = "token."
LISTS: Final = {TOKENS: "token_update", MARKET: "market_update"}

AT_ONCE: Final = 100
"""Tokens subscribed before others get their turn."""

SYMBOLS_MISSING: Final = {
    "symbols": ("INVALID_REQUEST", "symbols must be a list of symbols or addresses")
}
SYMBOL_MISSING: Final = {"symbol": ("INVALID_REQUEST", "Symbol is required")}


class Symbols(Message):
    """A message about several tokens, each a symbol or an address."""

    symbols: list[str]


class GetToken(Message):
    """``get_token``: one token by symbol or address."""

    symbol: str


class TokenUpdate(Message):
    """``token_update``: what a publisher says about tokens."""

    data: list[TokenPatch]


class Lists(Endpoint):
    """The part of token-data that existing clients know."""

    public_channels = (TOKENS, MARKET)
    grouped_prefix = PREFIX

    def __init__(self, base: Base, market: Market, config: MarketConfig) -> None:
        super().__init__(base)
        self._market = market
        self._tokens = Views(self.hub, self.path, market.table, config.token_seconds)
        self._lists = {label: market.list_view(type_, label) for label, type_ in LISTS.items()}
        for label, encode in self._lists.items():
            self.hub.table(
                f"{self.path}/{label}",
                market.table,
                encode,
                config.list_seconds,
                flush_ms=config.flush_ms,
                names=market,
            )

    # ── channels ────────────────────────────────────────────────────────────────────────

    def is_public(self, label: str) -> bool:
        """All of them."""
        return label in LISTS or label.startswith(PREFIX)

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """Both lists."""
        return (TOKENS, MARKET)

    async def opening(self, conn: Connection, labels: Collection[str]) -> None:
        """All tokens once, not once for each list."""
        if labels:
            conn.push(self._list(TOKENS), TOKENS)

    def channel(self, label: str) -> Channel | None:
        """The lists, and ``token.<symbol or address>`` of a token there is."""
        if not label.startswith(PREFIX):
            return super().channel(label) if label in LISTS else None
        return self._tokens.find(label, lambda: self._token_view(label))

    def _token_view(self, label: str) -> Encode | None:
        name = label.removeprefix(PREFIX)
        known = self._market.resolve(name) is not None
        return self._market.token_view(name, label) if known else None

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """The whole list, or the one token."""
        if label in LISTS:
            return [self._list(label)]
        frame = self._token_frame(label)
        return [] if frame is None else [frame]

    def _list(self, label: str) -> bytes:
        frame = self._lists[label](0)
        if frame is None:
            raise RuntimeError("a list from the beginning is never empty-handed")
        return frame

    def _token_frame(self, label: str) -> bytes | None:
        """The present ``token_data``; None before the token's first seal."""
        return self._market.token_view(label.removeprefix(PREFIX), label)(0)

    # ── commands ────────────────────────────────────────────────────────────────────────

    @command("subscribe_tokens", invalid=SYMBOLS_MISSING)
    async def subscribe_tokens(self, conn: Connection, msg: Symbols) -> None:
        """Follow tokens: a confirmation each, the summary, then a ``token_data`` each."""
        known, unknown = self._sort(conn, msg.symbols)
        held: list[Subscription] = []
        for number, symbol in enumerate(known, 1):
            held.append(
                self.attach(conn, PREFIX + symbol, Subscribe(channel=PREFIX + symbol, id=msg.id))
            )
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        summary = {"symbols": known, "count": len(known), "unknown": unknown}
        conn.reply(Reply("tokens_subscribed", **summary), msg.id)
        for number, subscription in enumerate(held, 1):
            label = subscription.channel.label
            frame = self._token_frame(label)
            if frame is not None:
                conn.push(frame, label)
            subscription.open()
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    @command("unsubscribe_tokens", invalid=SYMBOLS_MISSING)
    async def unsubscribe_tokens(self, conn: Connection, msg: Symbols) -> Reply:
        """Stop following tokens; confirmed also where they were not followed."""
        symbols = self._bounded(msg.symbols)
        for symbol in symbols:
            await self.drop(conn, PREFIX + symbol)
            done = Reply("unsubscription_confirmed", channel=PREFIX + symbol)
            conn.reply(done, msg.id)
        return Reply("tokens_unsubscribed", symbols=symbols, count=len(symbols))

    @command("get_token", invalid=SYMBOL_MISSING)
    async def get_token(self, conn: Connection, msg: GetToken) -> Reply:
        """One token."""
        if not msg.symbol:
            raise WireError(*SYMBOL_MISSING["symbol"])
        data = self._market.token_json(msg.symbol)
        if data is None:
            raise WireError("TOKEN_NOT_FOUND", f"Token {msg.symbol[:64]} not found")
        return Reply("token_data", symbol=msg.symbol, data=orjson.Fragment(data))

    @command("get_all_tokens", cost=10)
    async def get_all_tokens(self, conn: Connection, msg: Message) -> Reply:
        """Every token."""
        return Reply("token_update", data=orjson.Fragment(self._market.all_tokens_json()))

    @command("token_update", role=Role.ADMIN, invalid="INVALID_DATA")
    async def token_update(self, conn: Connection, msg: TokenUpdate) -> Reply:
        """Publish prices and metadata; subscribers see them in their next frames."""
        try:
            done = self._market.publish(msg.data)
        except ValueError as error:
            raise WireError("INVALID_DATA", str(error)) from None
        return Reply("token_update_received", count=done.applied)

    def _sort(self, conn: Connection, asked: list[str]) -> tuple[list[str], list[str]]:
        """Which of the symbols there are and which not; raises when they are too many."""
        known: list[str] = []
        unknown: list[str] = []
        for symbol in self._bounded(asked):
            (known if self._exists(symbol) else unknown).append(symbol)
        fresh = sum(PREFIX + symbol not in conn.subscriptions for symbol in known)
        if conn.grouped + fresh > self.base.limits.symbols:
            raise self._too_many()
        return known, unknown

    def _exists(self, symbol: str) -> bool:
        try:
            policy.check_name(PREFIX + symbol)
        except WireError:
            return False
        return self._market.resolve(symbol) is not None

    def _bounded(self, symbols: Iterable[str]) -> list[str]:
        """Each once, in order; raises when they are more than anybody may follow."""
        once = list(dict.fromkeys(symbols))
        if len(once) > self.base.limits.symbols:
            raise self._too_many()
        return once

    def _too_many(self) -> WireError:
        most = self.base.limits.symbols
        return WireError(Code.TOO_MANY_ROWS, f"At most {most} tokens a connection", limit=most)
