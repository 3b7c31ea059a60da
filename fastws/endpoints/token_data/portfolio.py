"""A user's tokens: the rows of what he holds, and the amounts (docs/wire.md, "Portfolio").

Owns the channel of each wallet and its messages. Which rows it has the holdings say, not the
client.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from fastws import wire
from fastws.connection import Connection
from fastws.domain.market import Market
from fastws.domain.market.portfolios import Portfolios
from fastws.endpoint import Endpoint
from fastws.hub import Channel
from fastws.hub.chosen import ChosenTable
from fastws.store.holdings import Holding
from fastws.wire import Reply, Subscribe, iso

__all__ = ["Portfolio"]

LABEL: Final = re.compile(r"portfolio\.([^.]+)")

MOST: Final = 1024
"""Channels beyond which those are dropped that nobody follows."""


class Portfolio(Endpoint):
    """The part of token-data that knows whose tokens are whose."""

    _market: Market
    _portfolios: Portfolios
    _flush_ms: int
    _list_seconds: float
    _wallets: dict[str, ChosenTable]

    def channel(self, label: str) -> Channel | None:
        """``portfolio.<wallet>``; whose it is the policy has looked at."""
        found = LABEL.fullmatch(label)
        if found is None:
            return super().channel(label)
        wallet = found[1]
        if wallet not in self._wallets:
            if len(self._wallets) >= MOST:
                self._drop_idle()
            self._wallets[wallet] = self._open(wallet, label)
        self._portfolios.follow(wallet)
        return self._wallets[wallet]

    def _open(self, wallet: str, label: str) -> ChosenTable:
        market = self._market
        head = b'{"type":"portfolio_tokens","data":['
        tail = b'],"channel":' + orjson.dumps(label) + b',"timestamp":"'

        def encode(since: int) -> bytes | None:
            """What older formats get: the tokens that changed, whole."""
            keys = self._wallets[wallet].chosen
            moved = [key for key in keys if market.table.rtick(key) > since]
            tokens = [text for key in moved if (text := market.token_json(key)) is not None]
            if not tokens:
                return None
            return head + b",".join(tokens) + tail + iso(self.clock()).encode() + b'"}'

        made = self.hub.table(
            f"{self.path}/{label}",
            market.table,
            encode,
            self._list_seconds,
            flush_ms=self._flush_ms,
            names=market,
            kind=ChosenTable,
        )
        if not isinstance(made, ChosenTable):
            raise TypeError(label)
        made.choose(holding.address for holding in self._portfolios.of(wallet) or ())
        return made

    def _drop_idle(self) -> None:
        for wallet in [one for one, channel in self._wallets.items() if not channel.followers]:
            del self._wallets[wallet]
            self._portfolios.forget(wallet)
            self.hub.drop(f"{self.path}/portfolio.{wallet}")

    async def follow(self, conn: Connection, msg: Subscribe) -> None:
        """After the rows the amounts, if they are known already; else they come when read."""
        await super().follow(conn, msg)
        found = LABEL.fullmatch(msg.channel)
        if found is None:
            return
        holdings = self._portfolios.of(found[1])
        if holdings is not None:
            conn.push(self._holdings(found[1], holdings), msg.channel)

    def changed(self, wallet: str, holdings: list[Holding]) -> None:
        """Other holdings: other rows with the next flush, and the amounts at once."""
        channel = self._wallets.get(wallet)
        if channel is None:
            return
        channel.choose(holding.address for holding in holdings)
        frame = self._holdings(wallet, holdings)
        for subscription in (*channel.deltas, *channel.subscriptions):
            if subscription.live:
                subscription.send(frame)

    def _holdings(self, wallet: str, holdings: list[Holding]) -> bytes:
        label = f"portfolio.{wallet}"
        fields: dict[str, Any] = {"filter": self._wallets[wallet].filter}
        fields["holdings"] = [_shape(holding) for holding in holdings]
        return wire.encode("holdings", fields, self.clock(), channel=label)

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """For older formats: all of its tokens."""
        found = LABEL.fullmatch(label)
        if found is None:
            return list(await super().initial(conn, label))
        frame = self._wallets[found[1]].frame(-1, {})
        return [frame] if isinstance(frame, bytes) else []


def _shape(holding: Holding) -> dict[str, Any]:
    """A holding in JSON: the amount is a decimal text, exact."""
    made: dict[str, Any] = {"address": holding.address}
    if holding.amount is not None:
        made["amount"] = format(holding.amount.normalize(), "f")
    if holding.contest is not None:
        made |= {"contest_id": holding.contest, "weight": holding.weight}
    return made
