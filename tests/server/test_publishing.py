"""What other services push: tokens into the market, messages into streams, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market
from fastws.errors import WireError
from fastws.hub import Hub
from fastws.server.publishing import Publisher
from tests.fakes import Clock, make_hub


class Desk:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub: Hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=9), self.clock)
        self.hub.add_table(self.market.table, 100)
        self.publish = Publisher(self.hub, self.market)

    async def refused(self, channel: str, type_: str, data: Any) -> str:
        with pytest.raises(WireError) as caught:
            await self.publish(channel, type_, data)
        return caught.value.code


BONK = {"address": "BonkAddress1", "symbol": "BONK", "price": "0.00001234"}


@pytest.mark.parametrize("data", [BONK, [BONK]])
async def test_tokens_go_into_the_market_digit_by_digit(data: Any) -> None:
    desk = Desk()
    answer = await desk.publish("token-data/public.tokens", "token_update", data)
    assert answer == {"epoch": 9, "tick": 1, "count": 1}
    desk.hub.flush(1.0)
    assert desk.market.table.tick == answer["tick"], "the tick that shows it"
    assert desk.market.figure("BonkAddress1", "price") == (1234, -8)


async def test_a_stream_gets_the_message_and_the_publisher_its_place() -> None:
    desk = Desk()
    stream = desk.hub.stream("test/test")
    first = await desk.publish("test/test", "news", {"a": 1})
    second = await desk.publish("test/test", "news", None)
    assert (first["offset"], second["offset"]) == (1, 2)
    assert first["epoch"] == stream.epoch
    message = stream.message(1)
    assert message is not None
    assert b'"type":"news"' in message
    assert b'"data":{"a":1}' in message


async def test_what_does_not_exist_is_unknown() -> None:
    assert await Desk().refused("test/nowhere", "news", {}) == "UNKNOWN_CHANNEL"


async def test_a_table_of_the_server_cannot_be_published_to() -> None:
    desk = Desk()
    desk.hub.view("monitor/state", desk.market.table, lambda since: b"{}", 1.0)
    assert await desk.refused("monitor/state", "news", {}) == "INVALID_PAYLOAD"


@pytest.mark.parametrize(
    ("type_", "data", "code"),
    [
        ("news", BONK, "INVALID_PAYLOAD"),
        ("token_update", "BONK", "INVALID_DATA"),
        ("token_update", [{"symbol": 1}], "INVALID_DATA"),
        ("token_update", [{"address": "x", "symbol": "X", "price": "much"}], "INVALID_DATA"),
    ],
)
async def test_tokens_that_are_none_are_refused(type_: str, data: Any, code: str) -> None:
    desk = Desk()
    assert await desk.refused("token-data/public.tokens", type_, data) == code
    assert len(desk.market) == 0
