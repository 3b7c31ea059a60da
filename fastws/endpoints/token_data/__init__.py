"""``/token-data``: tokens and their prices, for anybody (wire.md A5).

One endpoint, a file a subject: each is a class with its commands and channels, and `TokenData`
is all of them together.
"""

from __future__ import annotations

from fastws.config import CandleConfig, MarketConfig
from fastws.domain.market import Market
from fastws.domain.market.candles import Candles
from fastws.domain.market.portfolios import Portfolios
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.domain.market.signals import Signals
from fastws.domain.market.whitelist import Whitelist
from fastws.endpoint import Base
from fastws.endpoints.token_data.history import History
from fastws.endpoints.token_data.lists import Lists
from fastws.endpoints.token_data.metadata import Metadata
from fastws.endpoints.token_data.portfolio import Portfolio
from fastws.endpoints.token_data.price_alerts import PriceAlertCommands
from fastws.endpoints.token_data.signals import SignalCommands
from fastws.endpoints.token_data.views import Views
from fastws.endpoints.token_data.whitelist import WhitelistCommands

__all__ = ["TokenData"]


class TokenData(
    PriceAlertCommands, SignalCommands, WhitelistCommands, Metadata, Portfolio, History, Lists
):
    """Live token prices."""

    path = "token-data"
    requires_auth = False

    def __init__(
        self,
        base: Base,
        market: Market,
        config: MarketConfig,
        *,
        price_alerts: PriceAlerts,
        signals: Signals,
        whitelist: Whitelist,
        portfolios: Portfolios,
        candles: Candles,
        candle_config: CandleConfig,
    ) -> None:
        Lists.__init__(self, base, market, config)
        self._price_alerts = price_alerts
        self._signals = signals
        self._whitelist = whitelist
        self._portfolios = portfolios
        self._wallets = {}
        self._flush_ms, self._list_seconds = config.flush_ms, config.token_seconds
        portfolios.changed = self.changed
        self._candles = candles
        self._charts = Views(self.hub, self.path, market.table, candle_config.push_seconds)
