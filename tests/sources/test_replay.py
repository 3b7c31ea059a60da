"""Replay: the recorded pace, the recorded decimals."""

from __future__ import annotations

import asyncio
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, FeedStatus, Market
from fastws.errors import StartError
from fastws.sources.exchange import CombinedStream
from fastws.sources.replay import MAX_LINE, Replay, read_lines

HERE = Path(__file__).parent
EXCERPT = HERE / "data" / "combined.txt"
RECORDING = HERE.parents[1].parent / "shared" / "data" / "binance_btcusdt_20240809.gz"


def make_market() -> Market:
    return Market(Table("tokens", COLUMNS, epoch=1), lambda: 1_700_000_000.0)


def wire_price(market: Market, symbol: str) -> str:
    """The price as it stands in the JSON text that clients get."""
    market.table.seal(0.0)
    text = market.token_json(symbol)
    assert text is not None
    return text.partition(b'"price":')[2].partition(b",")[0].rstrip(b"}").decode()


class Pace:
    """A clock that a fake sleep moves: what would have been waited is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.waited: list[float] = []
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            if seconds > 0:
                self.waited.append(seconds)
                self.now += seconds
            await real(0)

        monkeypatch.setattr("fastws.sources.replay.asyncio.sleep", sleep)

    def __call__(self) -> float:
        return self.now


class TestPace:
    @pytest.mark.parametrize(("speed", "seconds"), [(1.0, 0.35), (10.0, 0.035), (0.5, 0.7)])
    async def test_keeps_the_recorded_pace(
        self, monkeypatch: pytest.MonkeyPatch, speed: float, seconds: float
    ) -> None:
        pace = Pace(monkeypatch)
        given: list[tuple[float, bytes]] = []
        source = Replay(
            make_market(),
            EXCERPT,
            lambda message: given.append((pace.now, message)),
            speed,
            monotonic=pace,
        )
        await source.run()
        assert source.messages == len(given) == 9
        assert given[-1][0] - given[0][0] == pytest.approx(seconds)
        assert given[1][0] - given[0][0] == pytest.approx(0.04 / speed)

    async def test_speed_0_waits_for_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pace = Pace(monkeypatch)
        source = Replay(make_market(), EXCERPT, lambda message: None, 0, monotonic=pace)
        await source.run()
        assert pace.waited == []

    async def test_a_loop_begins_anew(self) -> None:
        market = make_market()
        stream = CombinedStream(market)
        turns: list[int] = []
        done = asyncio.Event()

        def restart() -> None:
            stream.restart()
            turns.append(source.messages)
            if len(turns) == 3:
                done.set()

        source = Replay(market, EXCERPT, stream.receive, 0, restart=restart, loop=True)
        task = asyncio.create_task(source.run())
        # The loop gives way every few messages, so this task is heard.
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert turns[:3] == [0, 9, 18]
        assert market.feed.out_of_order == 0


class TestContent:
    async def test_prices_are_the_files(self) -> None:
        market = make_market()
        await Replay(market, EXCERPT, CombinedStream(market).receive, 0).run()
        assert Decimal(wire_price(market, "BTCUSDT")) == Decimal("61685.50000000")
        assert wire_price(market, "SHIBUSDT") == "0.00001300"
        assert Decimal(wire_price(market, "ETHUSDT")) == Decimal(2626)
        assert market.feed.name == "replay"
        assert market.feed.ignored == 1, "depthUpdate"
        assert market.feed.status is FeedStatus.STALE, "nothing new will come"

    async def test_gzip_and_plain_are_told_apart_by_content(self, tmp_path: Path) -> None:
        packed = tmp_path / "recording"
        packed.write_bytes(gzip.compress(EXCERPT.read_bytes()))
        assert list(read_lines(packed)) == list(read_lines(EXCERPT))

    async def test_bad_lines_are_counted_and_skipped(self, tmp_path: Path) -> None:
        path = tmp_path / "bad"
        good = EXCERPT.read_bytes().splitlines(keepends=True)[0]
        lines = [
            b"\n",
            b"hello\n",
            b"-5 {}\n",
            b"9" * 40 + b" {}\n",
            b"1 " + b"x" * (2 * MAX_LINE) + b"\n",
            b"1700000000000000000 {not json}\n",
            good,
        ]
        path.write_bytes(b"".join(lines))
        market = make_market()
        source = Replay(market, path, CombinedStream(market).receive, 0)
        await source.run()
        assert market.feed.malformed == 6
        assert market.feed.updates == 1

    async def test_a_torn_file_ends_the_replay(self, tmp_path: Path) -> None:
        path = tmp_path / "torn.gz"
        path.write_bytes(gzip.compress(EXCERPT.read_bytes() * 50)[:-60])
        market = make_market()
        await Replay(market, path, CombinedStream(market).receive, 0).run()
        assert market.feed.status is FeedStatus.STALE

    def test_a_missing_file_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match=r"^Cannot replay .*nothing: No such file"):
            Replay(make_market(), tmp_path / "nothing", lambda message: None)
        with pytest.raises(StartError, match="Is a directory"):
            Replay(make_market(), tmp_path, lambda message: None)


@pytest.mark.skipif(not RECORDING.exists(), reason="the shared recording is not here")
class TestRecording:
    async def test_every_price_equals_the_files_decimal_for_decimal(self) -> None:
        market = make_market()
        stream = CombinedStream(market)
        checked = 0
        price = ""

        def receive(message: bytes) -> None:
            nonlocal checked, price
            stream.receive(message)
            data: dict[str, Any] = orjson.loads(message)["data"]
            if data.get("e") == "trade":
                price = data["p"]
            elif "e" not in data and not checked:
                price = data["b"]
            else:
                return
            assert Decimal(wire_price(market, "BTCUSDT")) == Decimal(price)
            checked += 1

        await Replay(market, RECORDING, receive, 0).run()
        assert checked > 10_000
        assert market.feed.updates == 45_134 + 10_147
        assert market.feed.ignored == 3_044
        assert (market.feed.malformed, market.feed.gaps, market.feed.out_of_order) == (0, 0, 0)
        figure = market.figure("BTCUSDT", "price")
        assert figure is not None
        assert figure[1] == -2, "the symbol's tick size"
