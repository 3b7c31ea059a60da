"""Token data: the legacy frames, their order, their rates and their limits (wire.md A5)."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import orjson
import pytest

from fastws._core.table import Table
from fastws.config import LimitsConfig
from fastws.domain.market import COLUMNS, Market, Token
from fastws.endpoints.token_data import views as room
from tests.endpoints.books import make_token_data
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_hub, opened

SOL = "So11111111111111111111111111111111111111112"
SYMBOLS = ("SOL", "BONK", "WIF")


class World:
    def __init__(self, tokens: int = 0, **limits: int) -> None:
        self.clock = Clock()
        self.limits = LimitsConfig(**limits)
        self.hub = make_hub(self.clock, self.limits)
        self.market = Market(Table("tokens", COLUMNS, epoch=1), self.clock)
        self.hub.add_table(self.market.table, 100)
        base = make_base(self.hub, self.clock, limits=self.limits)
        self.endpoint = make_token_data(base, self.market)
        self.market.upsert(Token(address=SOL, symbol="SOL", name="Solana", decimals=9))
        for symbol in SYMBOLS[1:]:
            self.market.upsert(Token(address=f"{symbol}Mint", symbol=symbol))
        for number in range(tokens):
            self.market.upsert(Token(address=f"Mint{number}", symbol=f"T{number}"))
        for token in list(self.market.tokens()):
            self.market.set(token.address, "price", (1, 0))
        self.hub.flush(self.clock.now)

    def price(self, symbol: str, mantissa: int, exponent: int = 0) -> None:
        key = self.market.resolve(symbol)
        assert key is not None
        self.market.set(key, "price", (mantissa, exponent))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.hub.flush(self.clock.now)


@pytest.fixture
def world() -> World:
    return World()


def line(frame: dict[str, Any]) -> tuple[str, str | None]:
    return frame["type"], frame.get("channel")


class TestOpening:
    @pytest.mark.parametrize("who", [USER, ADMIN, None])
    async def test_the_sequence(self, world: World, who: Any) -> None:
        _, outlet, frames = await opened(world.endpoint, *([who] if who else []))
        assert [line(frame) for frame in frames] == [
            ("subscription_confirmed", "public.tokens"),
            ("subscription_confirmed", "public.market"),
            ("token_update", "public.tokens"),
            ("connection_established", None),
        ]
        assert [token["symbol"] for token in frames[2]["data"]] == list(SYMBOLS)
        assert frames[2]["data"][0] == {
            "id": 1,
            "symbol": "SOL",
            "name": "Solana",
            "address": SOL,
            "decimals": 9,
            "price": 1,
        }
        assert frames[3]["authenticated"] is (who is not None)
        assert outlet.closed is None

    async def test_an_empty_market_says_so(self) -> None:
        world = World()
        market = Market(Table("tokens", COLUMNS, epoch=1), world.clock)
        hub = make_hub(world.clock)
        endpoint = make_token_data(make_base(hub, world.clock), market)
        _, _, frames = await opened(endpoint)
        assert frames[2]["data"] == []

    async def test_a_channel_in_the_address(self, world: World) -> None:
        _, _, frames = await opened(world.endpoint, query={"channel": "token.SOL"})
        assert [line(frame) for frame in frames[3:]] == [
            ("subscription_confirmed", "token.SOL"),
            ("token_data", "token.SOL"),
            ("connection_established", None),
        ]


class TestLists:
    async def test_all_tokens_at_most_every_five_seconds_when_something_changed(
        self, world: World
    ) -> None:
        _, outlet, _ = await opened(world.endpoint)
        world.pass_time(20)
        assert outlet.take() == [], "nothing changed"
        seen: list[float] = []
        for step in range(300):
            world.price("BONK", step + 2)
            world.pass_time(0.1)
            for frame in outlet.take():
                assert len(frame["data"]) == 3, "never a partial list"
                assert line(frame) in [
                    ("token_update", "public.tokens"),
                    ("market_update", "public.market"),
                ]
                if frame["type"] == "token_update":
                    seen.append(world.clock.now)
        assert 5 <= len(seen) <= 7
        assert all(b - a >= 4.99 for a, b in itertools.pairwise(seen))

    async def test_one_frame_for_all(self, world: World) -> None:
        outlets = [(await opened(world.endpoint))[1] for _ in range(5)]
        world.price("SOL", 2)
        world.pass_time(0.2)
        first = outlets[0].frames
        assert len(first) == 2
        assert all(outlet.frames[at] == first[at] for outlet in outlets for at in (0, 1))

    async def test_subscribing_again_gets_the_list_again(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        for label, type_ in (("public.tokens", "token_update"), ("public.market", "market_update")):
            frames = await ask(conn, outlet, type="subscribe", channel=label)
            assert [line(f) for f in frames] == [("subscription_confirmed", label), (type_, label)]
            assert len(frames[1]["data"]) == 3

    async def test_after_unsubscribing_no_list_comes(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        for label in ("public.tokens", "public.market"):
            await ask(conn, outlet, type="unsubscribe", channel=label)
        world.price("SOL", 2)
        world.pass_time(10)
        assert outlet.frames == []

    async def test_a_slow_reader_is_skipped_and_gets_the_newest(self, world: World) -> None:
        _, outlet, _ = await opened(world.endpoint)
        outlet.stuck, outlet.held = True, 1
        for step in range(200):
            world.price("SOL", step + 2)
            world.pass_time(0.1)
        assert outlet.frames == [], "nothing is queued for it"
        outlet.stuck, outlet.held = False, 0
        world.pass_time(6)
        frames = outlet.take()
        assert [frame["type"] for frame in frames].count("token_update") == 1
        assert frames[0]["data"][0]["price"] == 201


class TestTokens:
    async def test_subscribe_tokens(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        frames = await ask(
            conn, outlet, type="subscribe_tokens", symbols=["SOL", "NOPE", "BONK", "SOL"], id=5
        )
        assert [line(frame) for frame in frames] == [
            ("subscription_confirmed", "token.SOL"),
            ("subscription_confirmed", "token.BONK"),
            ("tokens_subscribed", None),
            ("token_data", "token.SOL"),
            ("token_data", "token.BONK"),
        ]
        summary = frames[2]
        assert (summary["symbols"], summary["count"]) == (["SOL", "BONK"], 2)
        assert summary["unknown"] == ["NOPE"]
        assert [frame.get("id") for frame in frames] == [5, 5, 5, None, None]
        assert (frames[3]["symbol"], frames[3]["data"]["price"]) == ("SOL", 1)
        assert frames[3]["data"]["name"] == "Solana"

    async def test_an_address_means_the_token_too(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        frames = await ask(conn, outlet, type="subscribe_tokens", symbols=[SOL])
        assert frames[-1]["channel"] == f"token.{SOL}"
        assert (frames[-1]["symbol"], frames[-1]["data"]["symbol"]) == (SOL, "SOL")

    async def test_a_token_at_most_once_a_second_and_only_when_it_changed(
        self, world: World
    ) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        for label in ("public.tokens", "public.market"):
            await ask(conn, outlet, type="unsubscribe", channel=label)
        await ask(conn, outlet, type="subscribe_tokens", symbols=["SOL", "WIF"])
        seen: list[tuple[float, int]] = []
        for step in range(100):
            world.price("SOL", step + 2)
            world.pass_time(0.1)
            for frame in outlet.take():
                assert line(frame) == ("token_data", "token.SOL")
                seen.append((world.clock.now, frame["data"]["price"]))
        assert 8 <= len(seen) <= 11
        assert all(b[0] - a[0] >= 0.99 for a, b in itertools.pairwise(seen))
        world.pass_time(3)
        last = outlet.take()
        assert [frame["data"]["price"] for frame in last] in ([], [101])
        assert (seen[-1][1] == 101) is (last == [])

    async def test_unsubscribe_tokens(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        await ask(conn, outlet, type="subscribe_tokens", symbols=["SOL", "WIF"])
        frames = await ask(conn, outlet, type="unsubscribe_tokens", symbols=["SOL", "NOPE"], id=2)
        assert [line(frame) for frame in frames] == [
            ("unsubscription_confirmed", "token.SOL"),
            ("unsubscription_confirmed", "token.NOPE"),
            ("tokens_unsubscribed", None),
        ]
        assert (frames[2]["symbols"], frames[2]["count"]) == (["SOL", "NOPE"], 2)
        assert all(frame["id"] == 2 for frame in frames)
        assert conn.grouped == 1
        world.price("SOL", 2)
        world.pass_time(2)
        assert not [f for f in outlet.take() if f["type"] == "token_data"]

    async def test_get_token(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        world.price("SOL", 123456789012, -9)
        world.pass_time(0.1)
        outlet.take()
        conn.receive(b'{"type":"get_token","symbol":"SOL","id":1}', False)
        await conn.idle()
        (raw,) = outlet.frames
        assert b'"price":123.456789012' in raw, "digit for digit"
        (frame,) = outlet.take()
        assert (frame["type"], frame["symbol"], frame["id"]) == ("token_data", "SOL", 1)
        assert "channel" not in frame
        (error,) = await ask(conn, outlet, type="get_token", symbol="NOPE")
        assert (error["code"], error["message"]) == ("TOKEN_NOT_FOUND", "Token NOPE not found")
        for asked in ({}, {"symbol": ""}, {"symbol": 5}):
            (error,) = await ask(conn, outlet, type="get_token", **asked)
            assert error["code"] == "INVALID_REQUEST"

    async def test_get_all_tokens(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        (frame,) = await ask(conn, outlet, type="get_all_tokens", id=3)
        assert (frame["type"], frame["id"], len(frame["data"])) == ("token_update", 3, 3)
        assert "channel" not in frame

    @pytest.mark.parametrize("asked", [{}, {"symbols": "SOL"}, {"symbols": [1]}])
    async def test_what_is_no_list_of_symbols(self, world: World, asked: dict[str, Any]) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        for type_ in ("subscribe_tokens", "unsubscribe_tokens"):
            (error,) = await ask(conn, outlet, type=type_, **asked)
            assert error["code"] == "INVALID_REQUEST"

    @pytest.mark.parametrize("label", ["token.NOPE", "token.", "public.nonsense", "token.S OL"])
    async def test_channels_there_are_not(self, world: World, label: str) -> None:
        conn, outlet, _ = await opened(world.endpoint, USER)
        (error,) = await ask(conn, outlet, type="subscribe", channel=label)
        assert error["code"] in ("UNKNOWN_CHANNEL", "INVALID_SUBSCRIPTION")

    async def test_names_that_cannot_be_channels_are_unknown(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint)
        odd = ["", "S OL", "x" * 5000, "\u200b", "ü" * 70]
        (summary,) = await ask(conn, outlet, type="subscribe_tokens", symbols=odd)
        assert (summary["count"], summary["unknown"]) == (0, odd)


class TestLimits:
    async def test_all_tokens_of_a_connection_are_one_channel(self) -> None:
        world = World(tokens=300)
        conn, outlet, _ = await opened(world.endpoint, limits=world.limits)
        symbols = [f"T{number}" for number in range(300)]
        frames = await ask(conn, outlet, type="subscribe_tokens", symbols=symbols)
        assert len(frames) == 601
        assert conn.limits()["channels"]["remaining"] == 125
        assert conn.limits()["symbols"]["remaining"] == 700

    async def test_too_many_at_once_subscribe_nothing(self) -> None:
        world = World(tokens=1200)
        conn, outlet, _ = await opened(world.endpoint)
        symbols = [f"T{number}" for number in range(1200)]
        for type_ in ("subscribe_tokens", "unsubscribe_tokens"):
            (error,) = await ask(conn, outlet, type=type_, symbols=symbols[:1001])
            assert (error["code"], error["limit"]) == ("TOO_MANY_ROWS", 1000)
        assert conn.grouped == 0
        assert len(await ask(conn, outlet, type="subscribe_tokens", symbols=symbols[:1000])) == 2001
        (error,) = await ask(conn, outlet, type="subscribe_tokens", symbols=symbols[999:1001])
        assert error["code"] == "TOO_MANY_ROWS"
        frames = await ask(conn, outlet, type="subscribe_tokens", symbols=symbols[:2])
        assert len(frames) == 5, "what it has it may ask for again"
        (error,) = await ask(conn, outlet, type="subscribe", channel="token.T1100")
        assert error["code"] == "TOO_MANY_ROWS"
        assert conn.grouped == 1000

    async def test_channels_nobody_follows_are_forgotten(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "FEWEST", 50)
        world = World(tokens=400)
        world.endpoint._look_at = 50
        conn, outlet, _ = await opened(world.endpoint, messages_per_minute=5000)
        await ask(conn, outlet, type="subscribe_tokens", symbols=["T0", "T1"])
        for number in range(2, 400):
            await ask(conn, outlet, type="subscribe", channel=f"token.T{number}")
            await ask(conn, outlet, type="unsubscribe", channel=f"token.T{number}")
        assert len(world.hub.channels) <= 53
        world.price("T0", 7)
        world.pass_time(1)
        assert [f["symbol"] for f in outlet.take() if f["type"] == "token_data"] == ["T0"]


class TestPublishing:
    async def test_an_admin_publishes(self, world: World) -> None:
        conn, outlet, _ = await opened(world.endpoint, ADMIN)
        _, heard, _ = await opened(world.endpoint)
        conn.receive(
            b'{"type":"token_update","id":1,"data":['
            b'{"symbol":"SOL","price":0.12345678901},{"address":"NewMint","symbol":"NEW"}]}',
            False,
        )
        await conn.idle()
        (frame,) = outlet.take()
        assert (frame["type"], frame["count"], frame["id"]) == ("token_update_received", 2, 1)
        world.pass_time(0.1)
        update = next(f for f in heard.take() if f["type"] == "token_update")
        assert len(update["data"]) == 4, "the whole list, never a part"
        assert world.market.figure(SOL, "price") is not None
        price = orjson.loads(world.market.token_json("SOL") or b"")["price"]
        assert Decimal(str(price)) == Decimal("0.12345678901")

    @pytest.mark.parametrize(
        "data",
        [
            None,
            "x",
            [1],
            [{}],
            [{"symbol": "NOPE", "price": 1}],
            [{"symbol": "SOL", "price": "NaN"}],
            [{"symbol": "SOL", "price": 2}, {"symbol": "SOL", "price": -1}],
        ],
    )
    async def test_bad_data_changes_nothing(self, world: World, data: Any) -> None:
        conn, outlet, _ = await opened(world.endpoint, ADMIN)
        (error,) = await ask(conn, outlet, type="token_update", data=data)
        assert error["code"] == "INVALID_DATA"
        world.pass_time(6)
        assert outlet.take() == []

    async def test_others_may_not(self, world: World) -> None:
        for who, text in ((USER, None), (None, "Authentication required")):
            conn, outlet, _ = await opened(world.endpoint, *([who] if who else []))
            (error,) = await ask(conn, outlet, type="token_update", data=[{"symbol": "SOL"}])
            assert error["code"] == "UNAUTHORIZED"
            assert text in (None, error["message"])
