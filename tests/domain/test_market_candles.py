"""Candles of the market: exact, the same in every resolution, over restarts and outages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws._core.table import Table
from fastws.config import DatabaseConfig
from fastws.domain.market import COLUMNS, Market, Token, parse
from fastws.domain.market.candles import Candles
from fastws.domain.market.decimals import text
from fastws.errors import StoreUnavailable
from fastws.store.candles import RESOLUTIONS, Candle, CandleRows
from fastws.store.pool import Database
from tests.fakes import Clock

BEGIN = 20_000 * 86_400
SOL = "SOLMint"


class World:
    """A market of one token, and prices at moments."""

    def __init__(self, database: Database, waiting: int = 1000) -> None:
        self.clock = Clock(BEGIN)
        self.database = database
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.market.upsert(Token(address=SOL, symbol="SOL"))
        self.candles = self.again(waiting)

    def again(self, waiting: int = 1000) -> Candles:
        """As after a restart."""
        self.candles = Candles(self.market, CandleRows(self.database), self.clock, waiting)
        return self.candles

    def price(self, at: float, price: str, volume: int | None = None) -> None:
        self.clock.now = BEGIN + at
        self.market.set(SOL, "price", parse(price), digits=18)
        if volume is not None:
            self.market.set(SOL, "volume_24h", (volume, 0))
        self.market.table.seal(self.clock.now)
        self.candles.collect()

    async def write(self, at: float) -> None:
        self.clock.now = BEGIN + at
        await self.candles.write()

    async def history(self, resolution: str, **span: int) -> list[list[Any]]:
        asked = {"since": 0, "until": 2**53, "most": 1000, **span}
        found = await self.candles.history(SOL, RESOLUTIONS[resolution], **asked)
        return [[row[0] - BEGIN, *row[1:]] for row in map(orjson.loads, found)]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def folded(seconds: Iterable[list[Any]], size: int) -> list[list[Any]]:
    """Candles of one second as candles of a coarser resolution: the readable way."""
    made: dict[int, list[Any]] = {}
    for time, open_, high, low, close, volume in seconds:
        begin = (time + BEGIN) // size * size - BEGIN
        bar = made.setdefault(begin, [begin, open_, high, low, close, 0.0])
        bar[2], bar[3], bar[4] = max(bar[2], high), min(bar[3], low), close
        bar[5] = round(bar[5] + volume, 2)
    return list(made.values())


async def test_a_candle_has_every_sealed_price_and_none_is_made_for_a_silence(
    world: World,
) -> None:
    for at, price in ((0.1, "10"), (0.3, "12.5"), (0.6, "9.25"), (0.9, "11"), (3.0, "11.5")):
        world.price(at, price)
    assert await world.history("1s") == [[0, 10, 12.5, 9.25, 11, 0], [3, 11.5, 11.5, 11.5, 11.5, 0]]
    assert await world.history("1d") == [[0, 10, 12.5, 9.25, 11.5, 0]]


async def test_volume_is_what_the_reported_volume_grew_by(world: World) -> None:
    for at, volume in ((0.0, 1000), (0.5, 1500), (0.8, 1200), (1.2, 1300)):
        world.price(at, f"{10 + at}", volume)
    assert [row[5] for row in await world.history("1s")] == [500, 100]
    assert [row[5] for row in await world.history("1m")] == [600]


async def test_a_finer_exponent_changes_no_price(world: World) -> None:
    world.price(0.1, "10.5")
    world.price(0.2, "10.123456789")
    (found,) = await world.candles.history(SOL, 1, 0, 2**53, 10)
    assert found == (f"[{BEGIN},10.500000000,10.500000000,10.123456789,10.123456789,0.0]"), (
        "to the last digit"
    )


async def test_memory_and_database_make_one_history(world: World) -> None:
    for at in range(150):
        world.price(at, str(100 + at % 7), 1000 + at)
        if at % 20 == 19:
            await world.write(at + 0.5)
    seconds = await world.history("1s")
    assert [row[0] for row in seconds] == list(range(150))
    for resolution, size in RESOLUTIONS.items():
        assert await world.history(resolution) == folded(seconds, size), resolution
    assert world.candles.waiting < 20
    assert await world.history("1s", since=BEGIN + 10, until=BEGIN + 40, most=5) == seconds[35:40]
    assert await world.history("1m", most=1) == folded(seconds, 60)[-1:]


async def test_after_a_crash_everything_written_is_there_and_nothing_contradicts_it(
    world: World,
) -> None:
    for at in range(95):
        world.price(at, str(100 + at % 7), 1000 + at)
    await world.write(95)
    for at in range(95, 100):
        world.price(at, str(100 + at % 7), 1000 + at)
    world.again()
    await world.write(130)
    for at in range(130, 200):
        world.price(at, str(100 + at % 5), 2000 + at)
    await world.write(200)
    seconds = await world.history("1s")
    assert [row[0] for row in seconds] == [*range(95), *range(130, 200)], "the rest is not made up"
    for resolution, size in RESOLUTIONS.items():
        assert await world.history(resolution) == folded(seconds, size), resolution


async def test_while_the_database_is_away_candles_wait_up_to_a_bound(world: World) -> None:
    away = World(Database("postgresql://nowhere", DatabaseConfig()), waiting=30)
    for at in range(50):
        away.price(at, str(100 + at))
    await away.write(50)
    assert (away.candles.waiting, away.candles.dropped) == (30, 20)
    with pytest.raises(StoreUnavailable):
        await away.history("1s")
    away.candles._rows = CandleRows(world.database)
    await away.write(51)
    assert (away.candles.waiting, away.candles.written) == (0, 30)
    world.clock.now = BEGIN + 100
    assert [row[0] for row in await world.history("1s")] == list(range(20, 50))


async def test_an_answer_that_was_lost_is_no_second_candle(world: World) -> None:
    class Lossy(CandleRows):
        lost = False

        async def write(self, candles: Any, until: int) -> None:
            await super().write(candles, until)
            if candles and not self.lost:
                self.lost = True
                raise StoreUnavailable("The database did not answer in time")

    world.candles._rows = Lossy(world.database)
    for at in range(65):
        world.price(at, str(100 + at), 1000 + at)
    await world.write(65)
    assert world.candles.waiting == 65
    await world.write(66)
    assert world.candles.waiting == 0
    seconds = await world.history("1s")
    assert [row[5] for row in seconds] == [0, *([1] * 64)]
    assert await world.history("1m") == folded(seconds, 60)


def test_a_follower_is_told_the_end_of_a_candle_and_the_next(database_away: Database) -> None:
    world = World(database_away)
    world.price(58, "10")
    told = world.market.table.tick
    world.price(59.5, "11")
    world.price(60.5, "12")
    ended, begun = world.candles.newest(SOL, 60, told)
    assert (ended.time - BEGIN, ended.close, begun.time - BEGIN, begun.open) == (0, 11, 60, 12)
    assert world.candles.newest(SOL, 60, world.market.table.tick) == []
    assert world.candles.newest("nobody", 60, 0) == []


@pytest.fixture
def database_away() -> Database:
    return Database("postgresql://nowhere", DatabaseConfig())


@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.integers(1, 999), st.integers(-3, 0)),
        min_size=1,
        max_size=40,
    )
)
def test_every_resolution_says_the_same(prices: list[tuple[int, int, int]]) -> None:
    """In memory alone: whatever closes when, coarse candles are those of the seconds folded."""
    world = World(Database("postgresql://nowhere", DatabaseConfig()))
    kept: list[Candle] = []
    for at, mantissa, exponent in sorted(prices, key=lambda price: price[0]):
        world.price(at, text(mantissa, exponent))
        if at % 3 == 0:
            world.candles._close_all(int(world.clock.now))

    async def read(resolution: str) -> list[list[Any]]:
        world.candles._rows = Nothing(world.database)
        return await world.history(resolution)

    seconds = asyncio.run(read("1s"))
    assert kept == []
    for resolution, size in RESOLUTIONS.items():
        assert asyncio.run(read(resolution)) == folded(seconds, size), resolution


class Nothing(CandleRows):
    """A database that holds no candles."""

    async def of(self, *asked: Any) -> list[tuple[int, str]]:
        return []
