"""``/token-data``: tokens and their prices, for anybody (wire.md A5).

One endpoint, a file a subject: each is a class with its commands and channels, and `TokenData`
is all of them together.
"""

from __future__ import annotations

from fastws.config import MarketConfig
from fastws.domain.market import Market
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.endpoint import Base
from fastws.endpoints.token_data.lists import Lists
from fastws.endpoints.token_data.price_alerts import PriceAlertCommands

__all__ = ["TokenData"]


class TokenData(PriceAlertCommands, Lists):
    """Live token prices."""

    path = "token-data"
    requires_auth = False

    def __init__(
        self, base: Base, market: Market, config: MarketConfig, *, price_alerts: PriceAlerts
    ) -> None:
        Lists.__init__(self, base, market, config)
        self._price_alerts = price_alerts
