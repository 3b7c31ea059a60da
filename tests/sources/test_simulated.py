"""The simulated market: the same for the same seed, and shaped like a market."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import statistics

import orjson
import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, FeedStatus, Market
from fastws.domain.market.legacy import LIST_BYTES
from fastws.sources.simulated import (
    INTERVAL,
    NEWCOMERS,
    SECTORS,
    TURNOVER,
    Simulated,
    load_tokens,
)
from fastws.sources.simulated.model import Factor


def make(tokens: int = 200, seed: int = 69, rate: int = 4000) -> tuple[Market, Simulated]:
    market = Market(Table("tokens", COLUMNS, epoch=1), lambda: 1_700_000_000.0)
    source = Simulated(market, tokens, seed, rate)
    source.start()
    market.table.seal(0.0)
    return market, source


def play(market: Market, source: Simulated, steps: int) -> int:
    changed = 0
    for _ in range(steps):
        changed += source.step()
        market.table.seal(0.0)
    return changed


def prices(market: Market) -> dict[str, float]:
    found = {}
    for token in market.tokens():
        figure = market.figure(token.address, "price")
        assert figure is not None
        found[token.address] = figure[0] * 10.0 ** figure[1]
    return found


class TestList:
    def test_ships_real_tokens(self) -> None:
        listings = load_tokens()
        assert len(listings) >= 2000 + NEWCOMERS
        assert len({listing.address for listing in listings}) == len(listings)
        sol = listings[0]
        assert (sol.symbol, sol.address) == ("SOL", "So11111111111111111111111111111111111111112")
        assert {listing.sector for listing in listings} < set(SECTORS)

    def test_a_symbol_is_listed_once_and_carried_by_several(self) -> None:
        first = load_tokens()[:2000]
        listed = [listing.symbol for listing in first if listing.listed]
        assert len(set(listed)) == len(listed)
        assert sum(1 for listing in first if not listing.listed) > 50
        assert len({listing.symbol for listing in first}) < len(first)

    def test_the_full_market_fits_a_legacy_frame_with_all_links(self) -> None:
        market, source = make(tokens=2000)
        play(market, source, 5)
        made = market.all_tokens_json()
        assert len(made) <= LIST_BYTES
        tokens = orjson.loads(made)
        assert len(tokens) == 2000
        assert "image_url" in tokens[-1] or "websites" in tokens[-1] or "socials" in tokens[-1]
        for token in tokens:
            assert token["price"] > 0
            assert {"change_24h", "market_cap", "fdv", "liquidity", "volume_24h"} < token.keys()
            assert 0 <= token["buy_pressure"] <= 100
            assert token["fdv"] >= token["market_cap"] * 0.99


class TestDeterminism:
    def test_same_seed_same_market(self) -> None:
        one, two = make(), make()
        assert play(*one, 50) == play(*two, 50)
        assert one[0].all_tokens_json() == two[0].all_tokens_json()

    def test_another_seed_another_market(self) -> None:
        one, two = make(seed=1), make(seed=2)
        play(*one, 5)
        play(*two, 5)
        assert prices(one[0]) != prices(two[0])

    def test_births_and_removals_repeat_too(self) -> None:
        one, two = make(tokens=20, rate=100), make(tokens=20, rate=100)
        for _ in range(3):
            play(*one, TURNOVER)
            play(*two, TURNOVER)
            assert one[0].all_tokens_json() == two[0].all_tokens_json()
        assert len(one[0]) == 23


class TestShape:
    def test_as_many_updates_as_asked_for(self) -> None:
        market, source = make(tokens=500, rate=4000)
        changed = play(market, source, 100)
        assert changed == pytest.approx(4000 * 100 * INTERVAL, rel=0.1)

    def test_every_token_moves(self) -> None:
        market, source = make()
        before = prices(market)
        play(market, source, 100)
        after = prices(market)
        assert all(before[key] != after[key] for key in before)

    def test_mantissas_keep_their_digits(self) -> None:
        market, source = make()
        for _ in range(10):
            play(market, source, 30)
            for token in market.tokens():
                figure = market.figure(token.address, "price")
                assert figure is not None
                assert 10**6 <= figure[0] < 10**12

    def test_a_falling_price_is_rescaled(self) -> None:
        _, source = make(tokens=5)
        exponent = source._exponent[0]
        assert source._rescale(0, 999_999) == 99_999_900
        assert source._exponent[0] == exponent - 2
        assert source._rescale(0, 0) == 10_000_000
        assert source._rescale(0, 10**12 + 5) == 10_000_000

    def test_returns_are_correlated_and_heavy_tailed(self) -> None:
        market, source = make(tokens=120)
        history = []
        for _ in range(400):
            play(market, source, 5)
            history.append(prices(market))
        returns = {
            key: [math.log(now[key] / before[key]) for before, now in itertools.pairwise(history)]
            for key in history[0]
        }
        stable = market.resolve("USDC")
        sol, btc = market.resolve("SOL"), market.resolve("BTC")
        assert stable is not None
        assert sol is not None
        assert btc is not None
        assert statistics.correlation(returns[sol], returns[btc]) > 0.2
        assert statistics.pstdev(returns[stable]) < statistics.pstdev(returns[sol]) / 3
        kurtosis = [
            sum(r**4 for r in series) * len(series) / sum(r**2 for r in series) ** 2
            for series in returns.values()
        ]
        assert statistics.median(kurtosis) > 3.3, "heavier than a normal distribution"

    def test_volatility_clusters(self) -> None:
        factor = Factor(random.Random(5), 0.05)
        levels = []
        for _ in range(40_000):
            factor.step()
            levels.append(factor.level)
        sizes = [min(abs(b - a), 1e-3) for a, b in itertools.pairwise(levels)]
        lag = 50
        assert statistics.correlation(sizes[:-lag], sizes[lag:]) > 0.1
        signs = [math.copysign(1, b - a) for a, b in itertools.pairwise(levels)]
        assert abs(statistics.correlation(signs[:-1], signs[1:])) < 0.03, "direction is luck"

    def test_prices_stay_sane_for_a_while(self) -> None:
        market, source = make(tokens=20, rate=20)
        before = prices(market)
        for _ in range(24_000):
            source.step()
        market.table.seal(0.0)
        after = prices(market)
        kept = [key for key in before if key in after]
        assert all(0.02 < after[key] / before[key] < 50 for key in kept)


class TestLife:
    async def test_runs_in_real_time_until_cancelled(self) -> None:
        market, source = make(tokens=20)
        seen = asyncio.Event()
        market.feed.on_change.append(lambda s: seen.set() if s is FeedStatus.LIVE else None)
        task = asyncio.create_task(source.run())
        await asyncio.wait_for(seen.wait(), 5)
        assert market.feed.name == "simulated"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert market.feed.updates > 0
