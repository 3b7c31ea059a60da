"""What other services push: tokens into the market, messages into streams, nothing else."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import websockets

from fastws._core.table import Table
from fastws.breaker import Breaker
from fastws.domain.market import COLUMNS, Market
from fastws.errors import WireError
from fastws.hub import Hub
from fastws.server.publishing import Publisher
from tests.fakes import Clock, make_hub
from tests.server.conftest import place, receive, serving


class Desk:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub: Hub = make_hub(self.clock)
        self.market = Market(Table("tokens", COLUMNS, epoch=9), self.clock)
        self.hub.add_table(self.market.table, 100)
        self.publish = Publisher(self.hub, self.market, Breaker("publish"))

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


# ── over a whole server ─────────────────────────────────────────────────────────────────

KEY = "the-key-of-a-price-service-0123456789"


async def post(
    http: aiohttp.ClientSession, url: str, key: str, *messages: dict[str, Any]
) -> tuple[int, Any]:
    headers = {"X-Service-Key": key}
    body = {"messages": list(messages)}
    async with http.post(f"{url}/api/v69/publish", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def price(digits: str) -> dict[str, Any]:
    data = [{**BONK, "price": digits}]
    return {"channel": "token-data/public.tokens", "type": "token_update", "data": data}


async def test_a_service_pushes_prices_and_messages_that_clients_receive(
    fresh_url: str, http: aiohttp.ClientSession
) -> None:
    market = {"source": "none", "flush_ms": 10, "list_seconds": 0.01, "token_seconds": 0.01}
    async with (
        serving(fresh_url, auth={"service_keys": [KEY]}, market=market) as server,
        websockets.connect(place(server, "token-data")) as prices,
        websockets.connect(place(server, "test")) as news,
    ):
        for ws in (prices, news):
            await receive(ws, "connection_established")
        status, answer = await post(http, server.url, KEY, price("0.00001234"))
        assert (status, answer["published"]) == (200, 1)
        (token,) = (await receive(prices, "token_update"))["data"]
        assert (token["symbol"], token["address"]) == ("BONK", "BonkAddress1")
        assert token["price"] == 0.00001234
        await prices.send('{"type":"subscribe_tokens","symbols":["BONK"]}')
        assert (await receive(prices, "token_data"))["data"]["price"] == 0.00001234
        await post(http, server.url, KEY, price("0.00001235"))
        frame = await receive(prices, "token_data")
        assert (frame["channel"], frame["symbol"]) == ("token.BONK", "BONK")
        assert frame["data"]["price"] == 0.00001235

        await news.send('{"type":"subscribe","channel":"test"}')
        await receive(news, "subscription_confirmed")
        message = {"channel": "test/test", "type": "news", "data": {"text": "hello"}}
        unknown = {"channel": "test/nowhere", "type": "news", "data": 1}
        status, answer = await post(http, server.url, KEY, unknown, message)
        assert status == 200
        refused, done = answer["results"]
        assert refused["code"] == "UNKNOWN_CHANNEL"
        assert refused["error"] == "Unknown channel: test/nowhere"
        told = await receive(news, "news")
        assert told["data"] == {"text": "hello"}
        assert (told["channel"], told["offset"]) == ("test", done["offset"])


async def test_a_wrong_key_pushes_nothing(fresh_url: str, http: aiohttp.ClientSession) -> None:
    async with serving(
        fresh_url, auth={"service_keys": [KEY]}, market={"source": "none"}
    ) as server:
        status, answer = await post(http, server.url, KEY + "x", price("1"))
        assert (status, answer) == (401, {"error": "Invalid service key"})
        assert (await post(http, server.url, "", price("1")))[0] == 401
        assert len(server.rooms.market) == 0
