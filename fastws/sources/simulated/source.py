"""The source ``simulated``: lists the tokens, lets them trade, keeps their figures.

Owns the state of every token by slot. Prices are integers that take a relative step; floats
only say how large the step is. Knows nothing of clients.

Each token remembers the level of the factors it last followed, so a token that is updated
rarely still makes the whole common move when its turn comes. Seconds of the model are counted
in steps, not read from a clock.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import Final

from fastws.domain.market import FIGURES, Market
from fastws.sources.simulated.listing import Listing, load_tokens
from fastws.sources.simulated.model import (
    INTERVAL,
    JUMP,
    KINDS,
    MAJORS,
    SECTORS,
    Factor,
    heavy_tails,
    make_wheel,
)

__all__ = ["Simulated"]

ROUND: Final = 20
"""Steps in which every token's slow figures are brought up to date once."""

NEWCOMERS: Final = 20
"""Most tokens beyond the configured number that are listed at once."""

TURNOVER: Final = 600
"""Steps between one listing (or delisting) and the next."""

HOUR: Final = round(3600 / INTERVAL)
DAY: Final = 86_400.0

PRICE, CHANGE, CAP, FDV, LIQUIDITY, VOLUME, PRESSURE = range(len(FIGURES))


class Simulated:
    """The source ``simulated``: fills a `Market` and keeps it moving.

    ``tokens`` is the number of tokens (at most the shipped list), ``updates_per_second`` the
    price changes in one second of the model. `run` keeps real time; `step` alone is pure.
    """

    def __init__(
        self,
        market: Market,
        tokens: int = 2000,
        seed: int = 69,
        updates_per_second: int = 4000,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._market = market
        self._monotonic = monotonic
        self._rng = rng = random.Random(seed)  # noqa: S311 - a game, not a secret
        listings = load_tokens()
        self._present, self._reserve = listings[:tokens], deque(listings[tokens:])
        self._rate = updates_per_second * INTERVAL
        self._due = 0.0
        self._steps = 0
        self._started = False
        self._market_factor = Factor(rng, 0.06)
        self._sector_factors = [Factor(rng, 0.03) for _ in SECTORS]
        self._tails = heavy_tails(rng)
        slots = len(self._present) + min(NEWCOMERS, len(self._reserve))
        self._free = deque(range(len(self._present), slots))
        self._newcomers: deque[tuple[int, Listing]] = deque()
        self._wheel = make_wheel(rng, slots)
        self._at = 0
        self._make_columns(slots)

    def _make_columns(self, slots: int) -> None:
        """State by slot: parallel lists, since the inner loop runs thousands of times a second."""
        self._key = [""] * slots
        self._row = [0] * slots
        self._mantissa = [0] * slots
        self._exponent = [0] * slots
        self._seen_at = [0.0] * slots
        self._seen_market = [0.0] * slots
        self._seen_sector = [0.0] * slots
        self._sector = [0] * slots
        self._beta = [0.0] * slots
        self._base_variance = [0.0] * slots
        self._variance = [0.0] * slots
        self._drift = [0.0] * slots
        self._home = [0.0] * slots
        self._flow = [0.0] * slots
        self._traded = [0.0] * slots
        self._bought = [0.0] * slots
        self._volume = [0.0] * slots
        self._pressure = [0.0] * slots
        self._liquidity = [0.0] * slots
        self._supply = [(0, 0)] * slots
        self._figure_exponents = [[0] * len(FIGURES) for _ in range(slots)]
        self._hours = deque(array("d", bytes(8 * slots)) for _ in range(24))

    # -- life ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the market moving in real time until cancelled."""
        self._market.feed.begin("simulated")
        self.start()
        due = self._monotonic()
        while True:
            self._market.feed.touch(self.step())
            due += INTERVAL
            delay = due - self._monotonic()
            if delay < -1.0:
                due -= delay
            await asyncio.sleep(max(delay, 0.0))

    def start(self) -> None:
        """List every token with its first figures."""
        if self._started:
            return
        self._started = True
        for slot, listing in enumerate(self._present):
            self._settle(slot, listing)

    def step(self) -> int:
        """Let `INTERVAL` seconds of the market pass; returns the number of price changes."""
        self._market_factor.step()
        for factor in self._sector_factors:
            factor.step()
        self._steps += 1
        if self._steps % HOUR == 0:
            self._turn_hour()
        if self._steps % TURNOVER == 0:
            self._turn_over()
        self._due += self._rate
        count = int(self._due)
        self._due -= count
        changed = self._trade(count)
        for slot in range(self._steps % ROUND, len(self._key), ROUND):
            if self._mantissa[slot]:
                self._follow(slot)
        return changed

    # -- listings --------------------------------------------------------------------------

    def _turn_over(self) -> None:
        """List a new token, or take the oldest newcomer off when there is no place."""
        if self._free and self._reserve:
            slot, listing = self._free.popleft(), self._reserve.popleft()
            self._settle(slot, listing)
            self._newcomers.append((slot, listing))
        elif self._newcomers:
            slot, listing = self._newcomers.popleft()
            self._market.remove(self._key[slot])
            self._mantissa[slot] = 0
            self._free.append(slot)
            self._reserve.append(listing)

    def _settle(self, slot: int, listing: Listing) -> None:
        """Give a token its place, its size and its past."""
        rng = self._rng
        major = MAJORS.get(listing.symbol) if listing.listed else None
        sector = "major" if major and listing.sector != "stable" else listing.sector
        if listing.symbol in ("USDC", "USDT") and major:
            sector = "stable"
        kind = KINDS[sector]
        if major:
            price, cap = major
        else:
            cap = 2e9 / (slot + 8) ** 1.1 * math.exp(rng.gauss(0.0, 0.8))
            price = 1.0 if sector == "stable" else math.exp(rng.gauss(-4.0, 2.5))
        token = listing.token(kind.color)
        self._market.upsert(token)
        self._key[slot] = token.address
        self._row[slot] = self._market.know(token.address)
        exponent = math.floor(math.log10(price)) - 7
        self._exponent[slot] = exponent
        self._mantissa[slot] = round(price / 10.0**exponent)
        self._seen_at[slot] = self._steps * INTERVAL
        self._sector[slot] = SECTORS.index(sector)
        self._seen_market[slot] = self._market_factor.level
        self._seen_sector[slot] = self._sector_factors[self._sector[slot]].level
        self._beta[slot] = kind.beta * rng.uniform(0.6, 1.4)
        daily = kind.daily * rng.uniform(0.6, 1.8)
        self._variance[slot] = self._base_variance[slot] = daily * daily / DAY
        self._home[slot] = price
        self._drift[slot] = 0.0
        self._size(slot, price, cap, daily)

    def _size(self, slot: int, price: float, cap: float, daily: float) -> None:
        """Supply, liquidity, volume and a day of past prices that suit a capitalisation."""
        rng = self._rng
        supply = max(1, round(cap / price))
        self._supply[slot] = (supply, round(supply * rng.uniform(1.0, 1.8)))
        self._liquidity[slot] = cap * rng.uniform(0.01, 0.08)
        self._volume[slot] = self._liquidity[slot] * rng.lognormvariate(0.0, 0.7)
        self._flow[slot] = self._volume[slot] / DAY
        self._traded[slot] = self._bought[slot] = 0.0
        self._pressure[slot] = 0.5
        past = price
        for hour in reversed(self._hours):
            past *= math.exp(rng.gauss(0.0, daily / math.sqrt(24)))
            hour[slot] = past
        exponents = self._figure_exponents[slot]
        sizes = {
            CAP: cap,
            FDV: price * self._supply[slot][1],
            LIQUIDITY: self._liquidity[slot],
            VOLUME: self._volume[slot],
        }
        for column, size in sizes.items():
            exponents[column] = math.floor(math.log10(size)) - 5
        set_decimal = self._market.table.set_decimal
        set_decimal(self._row[slot], PRICE, self._mantissa[slot], self._exponent[slot])
        self._follow(slot)

    def _turn_hour(self) -> None:
        """An hour passed: the oldest reference price goes, today's becomes the newest."""
        oldest = self._hours.popleft()
        for slot, mantissa in enumerate(self._mantissa):
            oldest[slot] = mantissa * 10.0 ** self._exponent[slot]
        self._hours.append(oldest)

    # -- prices ----------------------------------------------------------------------------

    def _trade(self, count: int) -> int:
        """Let ``count`` tokens trade: the inner loop."""
        rng = self._rng
        now, share = self._steps * INTERVAL, INTERVAL / max(count, 1)
        draws = memoryview(rng.randbytes(2 * count)).cast("H")
        jump_at = rng.randrange(count) if count and rng.random() < count * JUMP else -1
        common = self._market_factor.level
        sectors = [factor.level for factor in self._sector_factors]
        set_decimal = self._market.table.set_decimal
        mantissas, exponents, rows = self._mantissa, self._exponent, self._row
        seen_at, seen_market, seen_sector = self._seen_at, self._seen_market, self._seen_sector
        variances, bases, tails = self._variance, self._base_variance, self._tails
        changed = 0
        for turn, slot in enumerate(self._turns(count)):
            mantissa = mantissas[slot]
            if not mantissa:  # an empty place
                continue
            moment = now + turn * share
            elapsed = moment - seen_at[slot]
            seen_at[slot] = moment
            shock = tails[draws[turn] & 4095]
            square = shock * shock
            variance = variances[slot]
            level = sectors[self._sector[slot]]
            move = (
                shock * math.sqrt(variance * elapsed)
                + self._beta[slot] * (common - seen_market[slot] + level - seen_sector[slot])
                + self._drift[slot] * elapsed
            )
            seen_market[slot] = common
            seen_sector[slot] = level
            base = bases[slot]
            variances[slot] = min(0.03 * base + variance * (0.91 + 0.06 * square), 40 * base)
            if turn == jump_at:
                day = math.sqrt(base * DAY)
                move += rng.choice((-1, 1)) * day * min(0.5 * rng.paretovariate(1.5), 5.0)
            mantissa += int(mantissa * min(max(move, -0.5), 1.0))
            if not 1_000_000 <= mantissa < 1_000_000_000_000:
                mantissa = self._rescale(slot, mantissa)
            mantissas[slot] = mantissa
            set_decimal(rows[slot], PRICE, mantissa, exponents[slot])
            flow = self._flow[slot] * elapsed * (0.3 + 0.7 * square)
            self._traded[slot] += flow
            if shock > 0:
                self._bought[slot] += flow
            changed += 1
        return changed

    def _turns(self, count: int) -> list[int]:
        wheel, at = self._wheel, self._at
        turns = wheel[at : at + count]
        while len(turns) < count:
            turns += wheel[: count - len(turns)]
        self._at = (at + count) % len(wheel)
        return turns

    def _rescale(self, slot: int, mantissa: int) -> int:
        """Bring a mantissa back to about eight digits."""
        shift = len(str(max(mantissa, 1))) - 8
        self._exponent[slot] += shift
        if shift > 0:
            return mantissa // int(10**shift)
        return max(mantissa, 1) * int(10**-shift)

    def _follow(self, slot: int) -> None:
        """Bring the slow figures of a token up to its price and its trades."""
        seconds = ROUND * INTERVAL
        price = self._mantissa[slot] * 10.0 ** self._exponent[slot]
        kind = KINDS[SECTORS[self._sector[slot]]]
        self._drift[slot] = -kind.pull * math.log(price / self._home[slot])
        traded, bought = self._traded[slot], self._bought[slot]
        self._traded[slot] = self._bought[slot] = 0.0
        self._volume[slot] += traded - self._volume[slot] * seconds / DAY
        if traded:
            self._pressure[slot] += 0.02 * (bought / traded - self._pressure[slot])
        liquidity = self._liquidity[slot] * math.sqrt(price / self._home[slot])
        circulating, total = self._supply[slot]
        past = self._hours[0][slot]
        row, exponents = self._row[slot], self._figure_exponents[slot]
        set_decimal = self._market.table.set_decimal
        set_decimal(row, CHANGE, round(1e4 * (price - past) / past), -2)
        set_decimal(row, PRESSURE, round(1000 * self._pressure[slot]), -1)
        for column, value in (
            (CAP, price * circulating),
            (FDV, price * total),
            (LIQUIDITY, liquidity),
            (VOLUME, self._volume[slot]),
        ):
            exponent = exponents[column]
            set_decimal(row, column, round(value / 10.0**exponent), exponent)
