"""Price alerts: a user is told when a token passes a price he chose (wire.md A5).

Owns their spelling on the wire. When one fires is the domain's to say.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from fastws.connection import Connection
from fastws.domain.market.decimals import parse
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.endpoint import Endpoint, command
from fastws.errors import Code, Denied, WireError
from fastws.hub import Channel, Hub
from fastws.store.price_alerts import PriceAlert
from fastws.wire import Message, Reply, iso

__all__ = ["PriceAlertCommands", "announce", "shape"]

LABEL: Final = re.compile(r"user\.[^.]+\.alerts")


class SetPriceAlert(Message):
    """``set_price_alert``: ``price`` is a plain decimal text, in US dollars.

    ``once`` is for clients that say it: an alert fires once, and false is refused.
    """

    symbol: str
    condition: Literal["above", "below"]
    price: str
    once: bool = True


class GetPriceAlerts(Message):
    """``get_price_alerts``: fired ones, waiting ones, or (None) both."""

    fired: bool | None = None


class DeletePriceAlert(Message):
    """``delete_price_alert``. ``id`` is any message's own, so the alert's has another name."""

    alert_id: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class PriceAlertCommands(Endpoint):
    """The part of token-data that keeps users' alerts."""

    _price_alerts: PriceAlerts

    def channel(self, label: str) -> Channel | None:
        """``user.<wallet>.alerts`` beside the others'."""
        if LABEL.fullmatch(label):
            return self.hub.stream(f"{self.path}/{label}")
        return super().channel(label)

    @command("set_price_alert", invalid="INVALID_REQUEST", cost=5)
    async def set_price_alert(self, conn: Connection, msg: SetPriceAlert) -> Reply:
        """Be told once when a token's price gets there; answered when it is kept."""
        wallet = _wallet(conn)
        if not msg.once:
            raise WireError("INVALID_REQUEST", "An alert fires once; once must be true")
        price = _price(msg.price)
        made = await self._price_alerts.add(wallet, msg.symbol, msg.condition, price)
        return Reply("price_alert_set", alert=shape(made))

    @command("get_price_alerts", invalid="INVALID_REQUEST", cost=5)
    async def get_price_alerts(self, conn: Connection, msg: GetPriceAlerts) -> Reply:
        """One's own alerts, newest first; the fired ones too."""
        alerts = await self._price_alerts.of(_wallet(conn), msg.fired)
        return Reply("price_alerts", alerts=[shape(alert) for alert in alerts])

    @command("delete_price_alert", invalid="INVALID_REQUEST")
    async def delete_price_alert(self, conn: Connection, msg: DeletePriceAlert) -> Reply:
        """Take back one of one's own alerts, waiting or fired."""
        if not await self._price_alerts.delete(_wallet(conn), msg.alert_id):
            raise WireError("ALERT_NOT_FOUND", f"You have no alert {msg.alert_id}")
        return Reply("price_alert_deleted", alert_id=msg.alert_id)


async def announce(hub: Hub, alert: PriceAlert) -> None:
    """Push a fired alert to its owner, if anybody has followed his channel here."""
    name = f"token-data/user.{alert.wallet}.alerts"
    if hub.find(name) is not None:
        await hub.stream(name).publish("price_alert", shape(alert))


def shape(alert: PriceAlert) -> dict[str, Any]:
    """An alert in JSON; prices are decimal texts, exact."""
    return {
        "alert_id": alert.id,
        "address": alert.address,
        "symbol": alert.symbol,
        "condition": alert.condition,
        "price": _text(alert.price),
        "created_at": iso(alert.created_at.timestamp()),
        "fired_at": None if alert.fired_at is None else iso(alert.fired_at.timestamp()),
        "fired_price": None if alert.fired_price is None else _text(alert.fired_price),
    }


def _wallet(conn: Connection) -> str:
    if conn.identity.wallet is None:
        raise Denied("Price alerts need a login", Code.UNAUTHORIZED)
    return conn.identity.wallet


def _price(given: str) -> Decimal:
    try:
        mantissa, exponent = parse(given)
    except ValueError:
        mantissa, exponent = 0, 0
    if mantissa <= 0:
        raise WireError("INVALID_REQUEST", "price must be a positive decimal number as text")
    return Decimal(f"{mantissa}E{exponent}")


def _text(price: Decimal) -> str:
    plain = format(price, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
