"""Market alerts: what is unusual, as a stream for anybody and as a list of the last ones.

Owns their spelling on the wire (docs/wire.md, "Market alerts").
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from fastws.connection import Connection
from fastws.domain.market import Market
from fastws.domain.market.signals import KEPT, MarketAlert, Signals
from fastws.endpoint import Endpoint, command
from fastws.errors import WireError
from fastws.hub import Channel, Hub
from fastws.wire import Message, Reply, iso

__all__ = ["SignalCommands", "announce_signals", "shape"]

LABEL: Final = "market.alerts"


class GetMarketAlerts(Message):
    """``get_market_alerts``: the last ones, newest first, of a token or a kind."""

    limit: Annotated[int, Meta(ge=1, le=KEPT)] = 50
    symbol: str | None = None
    kind: Literal["price_move", "volume_spike", "trend_change", "status_change"] | None = None


class SignalCommands(Endpoint):
    """The part of token-data that says what is unusual."""

    _market: Market
    _signals: Signals

    def is_public(self, label: str) -> bool:
        """``market.alerts``, for anybody."""
        return label == LABEL or super().is_public(label)

    def channel(self, label: str) -> Channel | None:
        """``market.alerts`` beside the others'."""
        if label == LABEL:
            return self.hub.stream(f"{self.path}/{label}")
        return super().channel(label)

    @command("get_market_alerts", invalid="INVALID_REQUEST", cost=5)
    async def get_market_alerts(self, conn: Connection, msg: GetMarketAlerts) -> Reply:
        """The last market alerts."""
        address = None
        if msg.symbol is not None:
            address = self._market.resolve(msg.symbol)
            if address is None:
                raise WireError("TOKEN_NOT_FOUND", f"Token {msg.symbol[:64]} not found")
        found = self._signals.recent(msg.limit, address, msg.kind)
        return Reply("market_alerts", alerts=[shape(alert) for alert in found])


async def announce_signals(hub: Hub, signals: Signals) -> None:
    """Publish what was found since the last call."""
    for alert in signals.take():
        await hub.stream(f"token-data/{LABEL}").publish("market_alert", shape(alert))


def shape(alert: MarketAlert) -> dict[str, Any]:
    """An alert in JSON; what does not belong to its kind is left out."""
    fields: dict[str, Any] = {
        "alert_id": alert.id,
        "kind": alert.kind,
        "address": alert.address,
        "symbol": alert.symbol,
        "at": iso(alert.time),
        "price": float(f"{alert.price:.12g}"),
    }
    for name in ("value", "usual"):
        number = getattr(alert, name)
        if number is not None:
            fields[name] = round(number, 2)
    if alert.state is not None:
        fields["state"] = alert.state
    return fields
