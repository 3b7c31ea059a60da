"""Endpoints' books without a database, for tests that only read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastws.config import CandleConfig, Config, DatabaseConfig, MarketConfig
from fastws.domain.market import Market
from fastws.domain.market.candles import Candles
from fastws.domain.market.portfolios import Portfolios
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.domain.market.signals import Signals
from fastws.domain.market.whitelist import Whitelist
from fastws.domain.settings import SettingsBook
from fastws.endpoint import Base
from fastws.endpoints.token_data import TokenData
from fastws.hub import Hub
from fastws.store.audit import Audit
from fastws.store.candles import CandleRows
from fastws.store.holdings import HoldingRows
from fastws.store.pool import Database
from fastws.store.price_alerts import PriceAlertRows
from fastws.store.settings import Setting
from fastws.store.whitelist import WhitelistRows
from tests.fakes import Clock

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_token_data(base: Base, market: Market, database: Database | None = None) -> TokenData:
    """The endpoint; without a ``database`` its alerts have none that answers."""
    database = database or Database("postgresql://nowhere", DatabaseConfig())
    return TokenData(
        base,
        market,
        MarketConfig(),
        price_alerts=PriceAlerts(market, PriceAlertRows(database)),
        whitelist=Whitelist(market, database, WhitelistRows(database), Audit(database)),
        portfolios=Portfolios(database, HoldingRows(database)),
        signals=Signals(market, CandleRows(database), base.clock),
        candles=Candles(market, CandleRows(database), base.clock),
        candle_config=CandleConfig(),
    )


def make_book(hub: Hub, clock: Clock, **values: Any) -> SettingsBook:
    """A book that holds ``values``; ``__`` in a name is a dot."""
    database = Database("postgresql://nowhere", DatabaseConfig())
    book = SettingsBook(database, hub, Config().public_settings, clock)
    write(book, **values)
    return book


def write(book: SettingsBook, **values: Any) -> None:
    """Change settings as if the database had told."""
    rows = {}
    for name, value in values.items():
        key = name.replace("__", ".")
        rows[key] = Setting(key, value, f"about {key}", MOMENT, None)
    book._take(rows, list(rows))
