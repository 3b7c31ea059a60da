"""What the market costs: a simulated tick, the full legacy list, one exchange message."""

from __future__ import annotations

import itertools
import time
from typing import Any

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market
from fastws.sources.exchange import CombinedStream
from fastws.sources.simulated import Simulated

PER_SECOND = 4000


def made() -> tuple[Market, Simulated]:
    market = Market(Table("tokens", COLUMNS), time.time)
    source = Simulated(market, tokens=2000, updates_per_second=PER_SECOND)
    source.start()
    market.table.seal(0.0)
    return market, source


def test_a_tenth_of_a_second_of_the_simulated_market(benchmark: Any) -> None:
    """400 price changes and 100 tokens' slow figures: ten of these are one second."""
    market, source = made()

    def tick() -> None:
        source.step()
        market.table.seal(0.0)

    benchmark.pedantic(tick, rounds=600, warmup_rounds=50)


def test_the_full_list_after_five_seconds(benchmark: Any) -> None:
    """2,000 tokens, nearly all changed: made once in 5 s, whoever follows."""
    market, source = made()

    def five_seconds() -> None:
        for _ in range(50):
            source.step()
        market.table.seal(0.0)

    benchmark.pedantic(market.all_tokens_json, setup=five_seconds, rounds=40, warmup_rounds=2)


def test_an_exchange_message(benchmark: Any) -> None:
    stream = CombinedStream(Market(Table("tokens", COLUMNS), time.time))
    number = itertools.count(1)
    head, tail = b'{"stream":"x@trade","data":{"e":"trade","s":"X","t":', b',"m":true}}'

    def receive() -> None:
        n = next(number)
        stream.receive(b'%b%d,"p":"61%03d.%02d000000"%b' % (head, n, n % 999, n % 97, tail))

    benchmark(receive)
