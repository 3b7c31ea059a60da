"""Candles in a real PostgreSQL: exact, made of each other, written twice without harm."""

from __future__ import annotations

import orjson
import pytest

from fastws.store.candles import RESOLUTIONS, Candle, CandleRows
from fastws.store.pool import Database

DAY = 86_400
BEGIN = 20_000 * DAY


def second(time: int, price: int, address: str = "SOLMint", exponent: int = -2) -> Candle:
    """A candle that goes one up and one down and ends where it began."""
    return Candle(address, time, exponent, price, price + 1, price - 1, price, 2.5)


@pytest.fixture
def rows(database: Database) -> CandleRows:
    return CandleRows(database)


async def kept(rows: CandleRows, resolution: str, address: str = "SOLMint") -> list[list[float]]:
    found = await rows.of(address, RESOLUTIONS[resolution], 0, 2**62, 10_000)
    assert [time for time, _ in found] == [orjson.loads(text)[0] for _, text in found]
    return [orjson.loads(text) for _, text in found]


async def test_coarser_candles_are_made_of_finer_ones_when_they_are_complete(
    rows: CandleRows,
) -> None:
    candles = [second(BEGIN + at, 1000 + at) for at in range(0, 150, 3)]
    await rows.write(candles, BEGIN + 150)
    assert len(await kept(rows, "1s")) == 50
    assert await kept(rows, "1m") == [
        [BEGIN, 10.0, 10.58, 9.99, 10.57, 50.0],
        [BEGIN + 60, 10.6, 11.18, 10.59, 11.17, 50.0],
    ]
    assert await kept(rows, "5m") == []
    await rows.write([second(BEGIN + 299, 5)], BEGIN + 300)
    assert await kept(rows, "5m") == [[BEGIN, 10.0, 11.48, 0.04, 0.05, 127.5]]
    assert len(await kept(rows, "1m")) == 4, "none for the minute without a price"


async def test_a_batch_may_come_twice(rows: CandleRows) -> None:
    batch = [second(BEGIN + at, 100 + at) for at in range(120)]
    for _ in range(2):
        await rows.write(batch, BEGIN + 120)
    minutes = await kept(rows, "1m")
    assert [candle[5] for candle in minutes] == [150.0, 150.0]
    assert await kept(rows, "1s") == [
        [BEGIN + at, *(round((100 + at + d) / 100, 2) for d in (0, 1, -1, 0)), 2.5]
        for at in range(120)
    ]


async def test_prices_are_exact_whatever_their_size(rows: CandleRows) -> None:
    tiny = Candle("tiny", BEGIN, -18, 123_456_789_012, 123_456_789_013, 1, 2, 0.0)
    huge = Candle("huge", BEGIN, 3, 7, 8, 6, 7, 0.0)
    await rows.write([tiny, huge], BEGIN + 60)
    for resolution in (1, 60):
        ((_, text),) = await rows.of("tiny", resolution, 0, 2**62, 10)
        digits = (
            "0.000000123456789012,0.000000123456789013,0.000000000000000001,0.000000000000000002"
        )
        assert text == f"[{BEGIN},{digits},0]"
        ((_, text),) = await rows.of("huge", resolution, 0, 2**62, 10)
        assert text == f"[{BEGIN},7000,8000,6000,7000,0]"


async def test_what_is_begun_is_found_by_the_next_process(
    rows: CandleRows, database: Database
) -> None:
    await rows.write([second(BEGIN + at, 100) for at in range(400)], BEGIN + 400)
    found = {(size, c.address): c for size, c in await CandleRows(database).begun(BEGIN + 400)}
    assert found[60, "SOLMint"].time == BEGIN + 360
    assert found[60, "SOLMint"].volume == 100.0
    assert found[300, "SOLMint"] == Candle("SOLMint", BEGIN + 300, -2, 100, 101, 99, 100, 150.0)
    assert found[900, "SOLMint"].volume == 750.0, "of the whole five minutes, the only ones made"


async def test_a_process_that_comes_later_rolls_up_what_was_left(database: Database) -> None:
    await CandleRows(database).write([second(BEGIN + 59, 100)], BEGIN + 59)
    rows = CandleRows(database)
    await rows.write([], BEGIN + DAY)
    for resolution in RESOLUTIONS:
        assert [candle[5] for candle in await kept(rows, resolution)] == [2.5], resolution


async def test_the_last_ones_of_a_span_oldest_first(rows: CandleRows) -> None:
    await rows.write([second(BEGIN + at, 100) for at in range(50)], BEGIN + 50)
    found = await rows.of("SOLMint", 1, BEGIN + 10, BEGIN + 30, 5)
    assert [time - BEGIN for time, _ in found] == [25, 26, 27, 28, 29]
    assert await rows.of("nobody", 1, 0, 2**62, 5) == []


async def test_old_ones_go_but_not_before_they_are_rolled_up(rows: CandleRows) -> None:
    await rows.write([second(BEGIN + at, 100) for at in range(100)], BEGIN + 100)
    assert await rows.forget(1, BEGIN + DAY) == 60
    assert len(await kept(rows, "1s")) == 40
    assert await rows.forget(60, BEGIN + DAY) == 0, "its five minutes are not over"
    await rows.write([], BEGIN + DAY)
    for resolution, gone in ((1, 40), (60, 2), (86_400, 0)):
        assert await rows.forget(resolution, BEGIN) == 0
        assert await rows.forget(resolution, BEGIN + 1000) == (gone or 1)
