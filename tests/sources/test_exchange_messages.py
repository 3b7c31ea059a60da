"""What the messages of a combined stream mean: price, numbering, nonsense."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market
from fastws.sources.exchange import CombinedStream


def figure(market: Market, symbol: str, name: str = "price") -> tuple[int, int] | None:
    market.table.seal(0.0)
    return market.figure(symbol, name)


def message(stream: str, **data: Any) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def trade(number: int, price: str, symbol: str = "BTCUSDT", *, sold: bool = False) -> bytes:
    return message(f"{symbol.lower()}@trade", e="trade", s=symbol, t=number, p=price, m=sold)


def book(update: int, bid: str, symbol: str = "BTCUSDT") -> bytes:
    return message(f"{symbol.lower()}@bookTicker", s=symbol, u=update, b=bid, a="1", B="1", A="1")


def ticker(close: str, opened: str = "2500", volume: str = "10.5") -> bytes:
    return message(
        "ethusdt@miniTicker", e="24hrMiniTicker", s="ETHUSDT", c=close, o=opened, q=volume
    )


@pytest.fixture
def market() -> Market:
    return Market(Table("tokens", COLUMNS, epoch=1), lambda: 1_700_000_000.0)


@pytest.fixture
def stream(market: Market) -> CombinedStream:
    return CombinedStream(market)


class TestPrice:
    def test_the_book_until_there_is_a_trade(self, market: Market, stream: CombinedStream) -> None:
        assert stream.receive(book(1, "61685.99000000"))
        assert figure(market, "BTCUSDT") == (6168599, -2)
        assert stream.receive(trade(1, "61686.00000000"))
        assert figure(market, "BTCUSDT") == (6168600, -2)
        assert stream.receive(book(2, "61000.00000000"))
        assert figure(market, "BTCUSDT") == (6168600, -2), "the book no longer counts"

    def test_mini_ticker(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(ticker("2626.00000000", "2500.00", "13390258.12345678"))
        assert figure(market, "ETHUSDT") == (2626, 0)
        assert figure(market, "ETHUSDT", "change_24h") == (504, -2)
        assert figure(market, "ETHUSDT", "volume_24h") == (133902581235, -4)
        stream.receive(trade(1, "2627.10", "ETHUSDT"))
        stream.receive(ticker("2626.00"))
        assert figure(market, "ETHUSDT") == (26271, -1), "the trade is newer by its nature"

    def test_all_tickers_in_one_message(self, market: Market, stream: CombinedStream) -> None:
        data = [{"s": s, "c": "2", "o": "1", "q": "3", "e": "24hrMiniTicker"} for s in ("A", "B")]
        assert stream.receive(orjson.dumps({"stream": "!miniTicker@arr", "data": data}))
        assert figure(market, "A") == figure(market, "B") == (2, 0)

    def test_buyers_share(self, market: Market, stream: CombinedStream) -> None:
        for number in range(1, 300):
            stream.receive(trade(number, "1", sold=number % 4 == 0))
        pressure = figure(market, "BTCUSDT", "buy_pressure")
        assert pressure is not None
        assert 650 < pressure[0] < 850
        assert pressure[1] == -1

    def test_the_finest_tick_seen_is_kept(self, market: Market, stream: CombinedStream) -> None:
        for number, price in enumerate(("100", "100.5", "100.25", "101"), 1):
            stream.receive(trade(number, price))
        assert figure(market, "BTCUSDT") == (10100, -2)


class TestNumbering:
    def test_older_books_are_skipped(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(book(10, "5"))
        stream.receive(book(9, "4"))
        stream.receive(book(10, "3"))
        assert figure(market, "BTCUSDT") == (5, 0)
        assert market.feed.out_of_order == 2

    def test_missing_trades_are_counted(self, market: Market, stream: CombinedStream) -> None:
        for number in (100, 101, 105, 103):
            stream.receive(trade(number, str(number)))
        assert market.feed.gaps == 3
        assert market.feed.out_of_order == 1
        assert figure(market, "BTCUSDT") == (105, 0)

    def test_a_new_connection_may_number_anew(self, market: Market, stream: CombinedStream) -> None:
        stream.receive(book(1000, "5", "X"))
        stream.receive(trade(1000, "5"))
        stream.restart()
        stream.receive(book(1, "6", "X"))
        stream.receive(trade(3, "6"))
        assert figure(market, "BTCUSDT") == (6, 0)
        assert figure(market, "X") == (6, 0)
        assert market.feed.out_of_order == 0
        stream.receive(trade(2, "7"))
        assert market.feed.out_of_order == 1

    def test_trades_missed_between_connections_are_a_gap(
        self, market: Market, stream: CombinedStream
    ) -> None:
        stream.receive(trade(10, "5"))
        stream.restart()
        stream.receive(trade(20, "5"))
        assert market.feed.gaps == 9


class TestNonsense:
    @pytest.mark.parametrize(
        "bad",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff\xfe",
            b"{" * 100_000,
            b'{"stream":"a@trade"}',
            b'{"stream":"a@trade","data":null}',
            b'{"stream":"a@trade","data":{"s":"A","t":1,"p":1.5,"m":true}}',
            b'{"stream":"a@trade","data":{"s":"A","t":"1","p":"1.5","m":true}}',
            b'{"stream":"a@trade","data":{"s":"A B","t":1,"p":"1.5","m":true}}',
            b'{"stream":"!miniTicker@arr","data":{}}',
            trade(1, "0.000"),
            trade(1, "-1"),
            trade(1, "1e5"),
            trade(1, "NaN"),
            trade(1, "9" * 5000),
            trade(1, "1", "S" * 41),
            ticker("1", "0"),
            ticker("1", "1", "x"),
        ],
    )
    def test_is_counted_and_skipped(
        self, market: Market, stream: CombinedStream, bad: bytes
    ) -> None:
        assert not stream.receive(bad)
        assert market.feed.malformed == 1
        assert len(market) == 0
        assert stream.receive(trade(1, "1"))

    def test_other_kinds_are_ignored(self, market: Market, stream: CombinedStream) -> None:
        assert not stream.receive(message("btcusdt@depth@100ms", e="depthUpdate", s="BTCUSDT"))
        assert not stream.receive(message("btcusdt@kline_1m", e="kline"))
        assert not stream.receive(message("", e="x"))
        assert market.feed.ignored == 3
        assert len(market) == 0

    def test_symbols_are_bounded(self, market: Market) -> None:
        stream = CombinedStream(market, max_symbols=2)
        for number in range(5):
            stream.receive(trade(1, "1", f"S{number}"))
        assert len(market) == 2
        assert market.feed.malformed == 3
