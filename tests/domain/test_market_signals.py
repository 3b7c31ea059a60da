"""Signals: planted events are found in time and little else is; columns say what is so."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from fastws._core.table import Table
from fastws.config import DatabaseConfig
from fastws.domain.market import COLUMNS, Market, Token
from fastws.domain.market.feed import FeedStatus
from fastws.domain.market.signals import (
    KEPT,
    LEARNED,
    PAUSE_SECONDS,
    QUIET_SECONDS,
    QUIET_TIMES,
    STEP,
    TURNS,
    MarketAlert,
    Signals,
)
from fastws.store.candles import Candle, CandleRows
from fastws.store.pool import Database
from tests.fakes import Clock

BEGIN = 20_000 * 86_400
LEARNING = (LEARNED + 5) * STEP


class World:
    """A market of some tokens that trade each second."""

    def __init__(self, tokens: int = 1, seed: int = 1, database: Database | None = None) -> None:
        self.clock = Clock(BEGIN)
        self.rng = random.Random(seed)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        rows = CandleRows(database or Database("postgresql://nowhere", DatabaseConfig()))
        self.signals = Signals(self.market, rows, self.clock)
        self.keys = [f"mint{number}" for number in range(tokens)]
        # a stablecoin moves by a hundredth of what a memecoin does
        self.sigma = {key: 10 ** self.rng.uniform(-5, -3) for key in self.keys}
        self.prices = dict.fromkeys(self.keys, 100.0)
        self.volumes = dict.fromkeys(self.keys, 1e6)
        for key in self.keys:
            self.market.upsert(Token(address=key, symbol=key.upper()))
        self.market.feed.begin("test")
        self.market.feed.touch()

    def second(self, jumps: dict[str, float] | None = None, bursts: dict[str, float] | None = None,
               trade: bool = True) -> list[MarketAlert]:  # fmt: skip
        """One second of trading; the alerts of it."""
        self.clock.now += 1
        for key in self.keys if trade else ():
            # heavy tails: some moves are several times the usual one
            move = self.rng.gauss(0, 1) * self.sigma[key] / math.sqrt(self.rng.gammavariate(2, 0.5))
            self.prices[key] *= math.exp(move) * (1 + (jumps or {}).get(key, 0.0))
            traded = 1000 * self.rng.lognormvariate(0, 0.7) + (bursts or {}).get(key, 0.0)
            self.volumes[key] += traded
            self.market.set(key, "price", (round(self.prices[key] * 1e8), -8))
            self.market.set(key, "volume_24h", (round(self.volumes[key]), 0))
        self.seal()
        for _ in range(TURNS):
            self.signals.turn()
        return list(self.signals.take())

    def seal(self) -> None:
        self.market.table.seal(self.clock.now)
        self.signals.collect()

    def seconds(self, count: int, trade: bool = True) -> Iterator[MarketAlert]:
        for _ in range(count):
            yield from self.second(trade=trade)

    def row(self, key: str = "mint0") -> dict[str, object]:
        self.market.table.seal(self.clock.now)
        row = self.market.table.get(key)
        assert row is not None
        return row


@pytest.mark.parametrize("seed", range(5))
def test_planted_events_are_found_within_two_seconds_and_little_else(seed: int) -> None:
    world = World(tokens=40, seed=seed)
    for _ in world.seconds(LEARNING + 300):
        pass
    planted: list[tuple[str, str, float]] = []
    alerts: list[MarketAlert] = []
    for _ in range(40):
        key, kind = world.rng.choice(world.keys), world.rng.choice(("price_move", "volume_spike"))
        quiet = all(key != other or world.clock.now - at > 400 for _, other, at in planted)
        jumps = {key: world.rng.choice((0.15, -0.12))} if quiet and kind == "price_move" else {}
        bursts = {key: 100_000.0} if quiet and kind == "volume_spike" else {}
        alerts += world.second(jumps, bursts)
        if quiet:
            planted.append((kind, key, world.clock.now))
        alerts += world.seconds(19)
    told = [one for one in alerts if one.kind in ("price_move", "volume_spike")]
    found = {
        event
        for event in planted
        for one in told
        if (one.kind, one.address) == event[:2] and 0 <= one.time - event[2] <= 2
    }
    true = [
        one
        for one in told
        if any((one.kind, one.address) == e[:2] and one.time - e[2] <= 2 for e in planted)
    ]
    assert len(planted) >= 20
    assert len(found) / len(planted) >= 0.9, "recall"
    assert len(true) / len(told) >= 0.9, "precision"


@pytest.mark.parametrize("seed", range(5))
def test_planted_trends_and_silences_are_found_and_little_else(seed: int) -> None:
    """A trend has to be one before it is told: within two minutes of its begin."""
    world = World(tokens=200, seed=seed)
    world.sigma = {key: min(sigma, 1e-4) for key, sigma in world.sigma.items()}
    for _ in world.seconds(LEARNING + 300):
        pass
    keys = world.rng.sample(world.keys, 40)
    trends, silent = dict.fromkeys(keys[:20], 1.0005), keys[20:]
    begun = world.clock.now
    traded, world.keys = world.keys, [key for key in world.keys if key not in silent]
    alerts = []
    for _ in range(int(QUIET_SECONDS) + 60):
        for key, growth in trends.items():
            world.prices[key] *= growth
        alerts += world.second()
    world.keys = traded
    told = [one for one in alerts if one.kind == "status_change"]
    assert sorted(one.address for one in told) == sorted(silent), "each of them, and no other"
    assert all(0 <= one.time - begun - QUIET_SECONDS <= 2 for one in told)
    told = [one for one in alerts if one.kind == "trend_change" and one.state == "up"]
    found = {one.address for one in told} & set(trends)
    true = [one for one in told if one.address in trends]
    assert len(found) >= 18, "recall"
    assert len(true) / len(told) >= 0.9, "precision"


def test_an_alert_says_what_happened_once() -> None:
    world = World()
    world.sigma["mint0"] = 1e-4
    assert [one for one in world.seconds(LEARNING) if one.kind != "trend_change"] == []
    (alert,) = [one for one in world.second({"mint0": 0.2}) if one.kind == "price_move"]
    assert (alert.address, alert.symbol, alert.time) == ("mint0", "MINT0", world.clock.now)
    assert alert.value == pytest.approx(20, abs=2)
    assert alert.usual is not None
    assert 0 < alert.usual < 1
    again = [one for one in world.seconds(int(PAUSE_SECONDS) - 2) if one.kind == "price_move"]
    assert again == [], "the same move is no news"


def test_nothing_is_told_of_a_token_before_it_is_known() -> None:
    world = World()
    assert list(world.seconds((LEARNED - 2) * STEP)) == []
    assert world.second({"mint0": 0.5}, {"mint0": 1e6}) == []


def test_changes_are_columns_that_followers_see() -> None:
    world = World()
    world.sigma["mint0"] = 0.0
    for _ in world.seconds(400):
        pass
    for _ in world.seconds(STEP):
        world.prices["mint0"] = 110.0
    world.prices["mint0"] = 110.0
    for _ in world.seconds(STEP):
        pass
    row = world.row()
    assert row["change_1m"] == row["change_5m"] == (1000, -2)
    assert row["change_1h"] == (0, 0), "not known yet"


def test_a_change_of_the_day_is_ours_only_where_no_source_says_it() -> None:
    world = World(tokens=2)
    world.market.set("mint1", "change_24h", (77, -2))
    for token in world.keys:
        world.sigma[token] = 0.0
    world.second()
    for token in world.signals._tokens.values():
        token.moves.seed([(BEGIN - 90_000, 50.0)], BEGIN, 900)
    for _ in world.seconds(STEP):
        pass
    assert world.row("mint0")["change_24h"] == (10_000, -2)
    assert world.row("mint1")["change_24h"] == (77, -2)


def test_a_token_is_live_stale_or_halted_and_everybody_is_told() -> None:
    world = World()
    for _ in world.seconds(2 * STEP):
        pass
    assert world.row()["status"] == 0
    world.market.feed.become(FeedStatus.STALE)
    (alert,) = world.seconds(STEP, trade=False)
    assert (alert.kind, alert.state, world.row()["status"]) == ("status_change", "stale", 1)
    world.market.feed.touch()
    for _ in world.seconds(int(PAUSE_SECONDS)):
        pass
    assert world.row()["status"] == 0
    pause = world.signals._tokens["mint0"].pause
    assert pause < QUIET_SECONDS / QUIET_TIMES
    quiet = [one.state for one in world.seconds(int(QUIET_SECONDS) + STEP + 1, trade=False)]
    assert quiet == ["stale"], "its price does not move any more"
    world.market.upsert(Token(address="mint0", symbol="MINT0", listed=False))
    for _ in world.seconds(STEP, trade=False):
        pass
    assert world.row()["status"] == 2


def test_a_trend_is_a_column_and_an_alert() -> None:
    world = World()
    world.sigma["mint0"] = 1e-5
    for _ in world.seconds(LEARNING + 300):
        pass
    told = []
    for _ in range(120):
        world.prices["mint0"] *= 1.001
        told += [one.state for one in world.second() if one.kind == "trend_change"]
    assert told == ["up"]
    assert world.row()["trend"] == 1


def test_the_last_alerts_can_be_asked_for() -> None:
    world = World(tokens=3)
    world.second()
    for number in range(KEPT + 10):
        key = world.keys[number % 3]
        token = world.signals._tokens[key]
        token.told.clear()
        world.signals._tell("price_move", key, token, float(number))
    newest = world.signals.recent(10, None, None)
    assert [one.time for one in newest] == [float(KEPT + 9 - n) for n in range(10)]
    assert {one.address for one in world.signals.recent(500, "mint1", None)} == {"mint1"}
    assert len(world.signals.recent(5000, None, "price_move")) == KEPT
    assert world.signals.recent(10, None, "volume_spike") == []
    assert sorted({one.id for one in newest}) == [one.id for one in reversed(newest)]


def test_a_token_that_is_gone_is_forgotten() -> None:
    world = World(tokens=2)
    world.second()
    world.market.remove("mint1")
    world.keys.remove("mint1")
    for _ in world.seconds(STEP):
        pass
    assert set(world.signals._tokens) == {"mint0"}


async def test_a_server_that_begins_knows_the_day_before(database: Database) -> None:
    rows = CandleRows(database)
    before = [(86_400 + 900, 50), (3600 + 60, 80)]
    candles = [Candle("mint0", BEGIN - ago, 0, p, p, p, p, 0.0) for ago, p in before]
    await rows.write(candles, BEGIN)
    world = World(database=database)
    world.sigma["mint0"] = 0.0
    world.market.set("mint0", "price", (100, 0))
    world.seal()
    await world.signals.seed()
    for _ in world.seconds(STEP):
        pass
    row = world.row()
    assert row["change_1h"] == (2500, -2)
    assert row["change_24h"] == (10_000, -2)
