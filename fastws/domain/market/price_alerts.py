"""Users' price alerts: which of them the sealed prices have reached.

Owns the thresholds of each token, sorted, so that a price asks only for those it passed. Says
that an alert has fired only after PostgreSQL has it; what could not be written yet is kept and
written later. Knows no clients: who fired is told to ``on_fired``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import structlog

from fastws.domain.market.book import Market
from fastws.domain.market.decimals import Scaled
from fastws.errors import StoreUnavailable, WireError
from fastws.store.price_alerts import MOST, PriceAlert, PriceAlertRows

__all__ = ["PriceAlerts"]

log = structlog.get_logger()

FIRST: Final = -1
"""Below every id: a threshold's place before all alerts of that price."""


class _Thresholds:
    """Alerts of one token, ascending by price: (price, id)."""

    __slots__ = ("above", "below")

    def __init__(self) -> None:
        self.above: list[tuple[Decimal, int]] = []
        self.below: list[tuple[Decimal, int]] = []

    def side(self, condition: str) -> list[tuple[Decimal, int]]:
        return self.above if condition == "above" else self.below

    def take(self, price: Decimal) -> list[int]:
        """Ids of the alerts that ``price`` fulfils; they are taken out."""
        reached = bisect_right(self.above, (price, 2**63))
        start = bisect_left(self.below, (price, FIRST))
        due = [number for _, number in self.above[:reached] + self.below[start:]]
        del self.above[:reached], self.below[start:]
        return due


class PriceAlerts:
    """Everybody's alerts. Call `check` after each seal."""

    def __init__(self, market: Market, rows: PriceAlertRows) -> None:
        self._market = market
        self._rows = rows
        self._tokens: dict[str, _Thresholds] = {}
        self._waiting: dict[int, PriceAlert] = {}
        self._due: dict[int, Decimal] = {}
        self._fresh: set[str] = set()  # tokens to look at whether or not they changed
        self._seen = 0
        self._loaded = False
        self.fired = 0
        """Alerts fired since the start."""
        self.on_fired: list[Callable[[PriceAlert], Awaitable[None]]] = []

    @property
    def waiting(self) -> int:
        """Alerts that have not fired."""
        return len(self._waiting)

    @property
    def due(self) -> int:
        """Alerts whose price was reached and which wait for the database."""
        return len(self._due)

    async def add(self, wallet: str, name: str, condition: str, price: Decimal) -> PriceAlert:
        """A new alert, committed. Raises `WireError` for an unknown token, one too many, or a
        price that is reached already: it would tell the user what he sees."""
        address = self._market.resolve(name)
        token = None if address is None else self._market.metadata(address)
        if token is None:
            raise WireError("TOKEN_NOT_FOUND", f"Token {name[:64]} not found")
        now = self._price(token.address)
        if now is not None and (now >= price if condition == "above" else now <= price):
            raise WireError("ALERT_ALREADY_TRUE", f"The price is {condition} that already")
        made = await self._rows.add(wallet, token.address, token.symbol, condition, price)
        if made is None:
            raise WireError("TOO_MANY_ALERTS", f"At most {MOST} alerts a user", limit=MOST)
        self._keep(made)
        return made

    async def delete(self, wallet: str, id: int) -> bool:
        """Whether the user had that alert; it will not fire any more."""
        had = await self._rows.delete(wallet, id)
        if had:
            self._due.pop(id, None)
            self._forget(id)
        return had

    async def of(self, wallet: str, fired: bool | None) -> list[PriceAlert]:
        """A user's alerts, newest first."""
        return await self._rows.of(wallet, fired)

    async def check(self) -> None:
        """Fire what the last seals reached: written down first, then told. Never raises for a
        database that is away: what is due stays due, whatever the price does meanwhile."""
        try:
            if not self._loaded:
                for alert in await self._rows.waiting():
                    self._keep(alert)
                self._loaded = True
            self._collect()
            if self._due:
                await self._fire()
        except StoreUnavailable:
            log.debug("price_alerts.wait", due=len(self._due))

    def _collect(self) -> None:
        table, since = self._market.table, self._seen
        self._seen = table.tick
        fresh, self._fresh = self._fresh, set()
        if since == self._seen and not fresh:
            return
        for address in list(self._tokens):
            if address not in self._market:
                continue
            if address not in fresh and table.rtick(address) <= since:
                continue
            price = self._price(address)
            if price is None:
                continue
            thresholds = self._tokens[address]
            self._due.update(dict.fromkeys(thresholds.take(price), price))
            if not (thresholds.above or thresholds.below):
                del self._tokens[address]

    async def _fire(self) -> None:
        asked = dict(self._due)
        fired = await self._rows.fire(asked)
        for number in asked:
            self._due.pop(number, None)
            self._waiting.pop(number, None)
        self.fired += len(fired)
        for alert in fired:
            for listener in self.on_fired:
                await listener(alert)

    def _price(self, address: str) -> Decimal | None:
        found = self._market.figure(address, "price")
        return None if found is None else _exact(found)

    def _keep(self, alert: PriceAlert) -> None:
        if alert.id in self._waiting:
            return
        self._waiting[alert.id] = alert
        side = self._tokens.setdefault(alert.address, _Thresholds()).side(alert.condition)
        insort(side, (alert.price, alert.id))
        self._fresh.add(alert.address)  # the price may have passed while it was written

    def _forget(self, id: int) -> None:
        alert = self._waiting.pop(id, None)
        thresholds = self._tokens.get(alert.address) if alert else None
        if alert is None or thresholds is None:
            return
        side = thresholds.side(alert.condition)
        at = bisect_left(side, (alert.price, id))
        if at < len(side) and side[at][1] == id:
            del side[at]
        if not (thresholds.above or thresholds.below):
            del self._tokens[alert.address]


def _exact(value: Scaled) -> Decimal:
    mantissa, exponent = value
    return Decimal(f"{mantissa}E{exponent}")
