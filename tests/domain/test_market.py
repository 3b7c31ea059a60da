"""The market: exact figures in, sealed figures out, and the JSON that older clients read."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from fastws._core.table import Table
from fastws.domain.market import (
    COLUMNS,
    FeedStatus,
    Link,
    Market,
    Social,
    Token,
    TokenPatch,
    parse,
)
from fastws.domain.market.legacy import LIST_BYTES

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_market(clock: Clock | None = None, **more: int) -> Market:
    return Market(Table("tokens", COLUMNS, epoch=1), clock or Clock(), **more)


def seal(market: Market) -> int:
    market.table.seal(0.0)
    return market.table.tick


def patches(source: bytes) -> list[TokenPatch]:
    return msgspec.json.decode(source, type=list[TokenPatch])


@pytest.fixture
def market() -> Market:
    made = make_market()
    made.upsert(Token(address=SOL, symbol="SOL", name="Wrapped SOL", decimals=9))
    made.upsert(Token(address=USDC, symbol="USDC", name="USD Coin", decimals=6))
    made.set(SOL, "price", (6168599, -2))
    seal(made)
    return made


class TestNames:
    def test_an_address_and_the_listed_symbol_mean_the_token(self, market: Market) -> None:
        assert market.resolve(SOL) == SOL
        assert market.resolve("SOL") == SOL
        assert market.resolve("sol") is None
        assert market.resolve("") is None

    def test_an_unlisted_twin_does_not_take_the_symbol(self, market: Market) -> None:
        market.upsert(Token(address="Fake111", symbol="SOL", listed=False))
        assert market.resolve("SOL") == SOL
        assert market.resolve("Fake111") == "Fake111"

    def test_a_symbol_moves_with_the_listing(self, market: Market) -> None:
        market.upsert(Token(address="New111", symbol="SOL", listed=True))
        assert market.resolve("SOL") == SOL, "the older listing keeps the name"
        market.publish([TokenPatch(address=SOL, listed=False)])
        assert market.resolve("SOL") == "New111"
        assert market.remove("New111")
        assert market.resolve("SOL") is None
        assert not market.remove("New111")

    def test_removal_takes_the_token_away_everywhere(self, market: Market) -> None:
        assert market.remove(USDC)
        tick = seal(market)
        assert tick == 2
        assert market.token("USDC") is None
        assert [t["symbol"] for t in orjson.loads(market.all_tokens_json())] == ["SOL"]


class TestTokenShape:
    def test_all_fields(self) -> None:
        market = make_market()
        market.upsert(
            Token(
                address=SOL,
                symbol="SOL",
                name="Wrapped SOL",
                id=7,
                decimals=9,
                color="#9945ff",
                image_url="https://example.org/sol.png",
                socials=[Social("twitter", "https://twitter.com/solana")],
                websites=[Link("Website", "https://solana.com")],
            )
        )
        for index, name in enumerate(
            ("price", "change_24h", "market_cap", "fdv", "liquidity", "volume_24h", "buy_pressure")
        ):
            market.set(SOL, name, (1000 + index, -1))
        seal(market)
        assert market.token("SOL") == {
            "id": 7,
            "symbol": "SOL",
            "name": "Wrapped SOL",
            "price": 100.0,
            "change_24h": 100.1,
            "color": "#9945ff",
            "address": SOL,
            "decimals": 9,
            "market_cap": 100.2,
            "fdv": 100.3,
            "liquidity": 100.4,
            "volume_24h": 100.5,
            "image_url": "https://example.org/sol.png",
            "buy_pressure": 100.6,
            "socials": [{"platform": "twitter", "url": "https://twitter.com/solana"}],
            "websites": [{"label": "Website", "url": "https://solana.com"}],
        }

    def test_empty_fields_are_left_out(self, market: Market) -> None:
        assert market.token("USDC") == {
            "id": 2,
            "symbol": "USDC",
            "name": "USD Coin",
            "address": USDC,
            "decimals": 6,
        }

    def test_a_price_is_written_digit_for_digit(self, market: Market) -> None:
        text_ = market.token_json("SOL")
        assert text_ is not None
        assert b'"price":61685.99' in text_
        market.set(SOL, "price", parse("61686.00000000"), 15)
        seal(market)
        text_ = market.token_json("SOL")
        assert text_ is not None
        assert b'"price":61686.00' in text_
        assert market.figure(SOL, "price") == (6168600, -2)

    def test_only_sealed_figures_are_seen(self, market: Market) -> None:
        market.set(SOL, "price", (7, 0))
        assert market.figure(SOL, "price") == (6168599, -2)
        assert market.token("SOL")["price"] == 61685.99  # type: ignore[index]
        market.upsert(Token(address="Late", symbol="LATE"))
        assert market.token("LATE") is None
        assert len(orjson.loads(market.all_tokens_json())) == 2
        seal(market)
        assert market.token("SOL")["price"] == 7  # type: ignore[index]
        assert market.token("LATE") is not None

    def test_metadata_alone_moves_the_tick(self, market: Market) -> None:
        before = market.table.tick
        token = market.metadata(SOL)
        assert token is not None
        assert not market.upsert(token), "nothing changed"
        assert seal(market) == before
        assert not market.upsert(msgspec.structs.replace(token, color="#000"))
        assert seal(market) == before + 1
        assert market.token("SOL")["color"] == "#000"  # type: ignore[index]


class TestList:
    def test_is_written_once_a_tick(self, market: Market) -> None:
        first = market.all_tokens_json()
        assert market.all_tokens_json() is first
        market.set(SOL, "price", (1, 0))
        assert market.all_tokens_json() is first, "not sealed yet"
        seal(market)
        assert market.all_tokens_json() is not first

    def test_only_changed_tokens_are_written_again(self, market: Market) -> None:
        market.all_tokens_json()
        kept = market.token_json("USDC")
        market.set(SOL, "price", (1, 0))
        seal(market)
        market.all_tokens_json()
        assert market.token_json("USDC") is kept

    def test_listed_tokens_come_first(self, market: Market) -> None:
        market.upsert(Token(address="Fake", symbol="SOL", listed=False))
        market.upsert(Token(address="Mint", symbol="NEW"))
        seal(market)
        symbols = [token["address"] for token in orjson.loads(market.all_tokens_json())]
        assert symbols == [SOL, USDC, "Mint", "Fake"]

    def test_stays_readable_whatever_its_size(self) -> None:
        market = make_market()
        picture = "https://example.org/" + "x" * 400
        for number in range(4000):
            market.upsert(
                Token(
                    address=f"{number:044}",
                    symbol=f"T{number}",
                    image_url=picture,
                    listed=number % 2 == 0,
                )
            )
        seal(market)
        made = market.all_tokens_json()
        assert len(made) <= LIST_BYTES
        tokens = orjson.loads(made)
        assert len(tokens) == 4000
        assert "image_url" in tokens[0]
        assert "image_url" not in tokens[-1]
        assert len(made) > LIST_BYTES - 1000, "the room is used"
        assert "image_url" in (market.token("T3998") or {}), "who asks for one gets all of it"
        for number in range(4000, 12_000):
            market.upsert(Token(address=f"{number:044}", symbol=f"T{number}", listed=False))
        seal(market)
        tokens = orjson.loads(market.all_tokens_json())
        assert len(market.all_tokens_json()) <= LIST_BYTES
        assert 4000 < len(tokens) < 12_000
        assert all(token["id"] % 2 == 1 for token in tokens[:2000]), "the listed ones are kept"


class TestPublish:
    def test_decimals_come_in_exact(self, market: Market) -> None:
        done = market.publish(
            patches(b'[{"symbol":"SOL","price":0.1234567891,"volume_24h":"12.5"}]')
        )
        assert done == (1, 0)
        seal(market)
        assert market.figure(SOL, "price") == (1234567891, -10)
        assert market.figure(SOL, "volume_24h") == (125, -1)

    def test_births_by_address(self, market: Market) -> None:
        done = market.publish(
            patches(
                b'[{"address":"Mint1","symbol":"NEW","price":1},{"address":"Mint1","name":"New"}]'
            )
        )
        assert done == (2, 1)
        seal(market)
        assert market.token("NEW") == {
            "id": 3,
            "symbol": "NEW",
            "name": "New",
            "address": "Mint1",
            "price": 1,
        }

    def test_null_empties_metadata_and_leaves_figures(self, market: Market) -> None:
        market.publish(patches(b'[{"symbol":"SOL","decimals":null,"change_24h":null}]'))
        seal(market)
        token = market.token("SOL")
        assert token is not None
        assert "decimals" not in token
        assert token["price"] == 61685.99

    @pytest.mark.parametrize(
        ("source", "why"),
        [
            (b'[{"price":1}]', r"data\[0\]: address or symbol is required"),
            (b'[{"symbol":"SOL","price":2},{"symbol":"NOPE"}]', r"data\[1\]: unknown symbol NOPE"),
            (b'[{"address":"Mint9"}]', r"data\[0\]: a new token needs a symbol"),
            (b'[{"symbol":"SOL","price":"NaN"}]', r"data\[0\]: price must be a finite number"),
            (b'[{"symbol":"SOL","price":-1}]', r"data\[0\]: price must not be negative"),
            (b'[{"symbol":"SOL","fdv":1e99}]', r"data\[0\]: fdv is out of range"),
        ],
    )
    def test_all_or_none(self, market: Market, source: bytes, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            market.publish(patches(source))
        assert seal(market) == 1

    @pytest.mark.parametrize(
        "source",
        [
            b'[{"symbol":"A B"}]',
            b'[{"symbol":"A\\u0007"}]',
            b'[{"symbol":""}]',
            b'[{"symbol":"A","image_url":"javascript:alert(1)"}]',
            b'[{"symbol":"A","image_url":"https://x/\\"onload=1"}]',
            b'[{"symbol":"A","color":"red;x"}]',
            b'[{"symbol":"A","websites":[{"label":"x","url":"file:///etc"}]}]',
            b'[{"symbol":"A","price":true}]',
        ],
    )
    def test_shapes_are_judged_when_decoded(self, source: bytes) -> None:
        with pytest.raises(msgspec.ValidationError):
            patches(source)

    def test_a_full_market_says_so(self) -> None:
        market = make_market(max_tokens=1)
        market.upsert(Token(address="A", symbol="A"))
        with pytest.raises(ValueError, match=r"the market is full \(1 tokens\)"):
            market.publish(patches(b'[{"address":"B","symbol":"B"}]'))
        with pytest.raises(ValueError, match="full"):
            market.upsert(Token(address="C", symbol="C"))


class TestViews:
    def test_list_view(self, market: Market) -> None:
        encode = market.list_view("token_update", "public.tokens")
        frame = encode(0)
        assert frame is not None
        assert orjson.loads(frame) == {
            "type": "token_update",
            "data": [market.token("SOL"), market.token("USDC")],
            "channel": "public.tokens",
            "timestamp": "2023-11-14T22:13:20.000Z",
        }
        assert encode(0) is frame, "made once for everybody"
        assert encode(market.table.tick) is None
        market.set(SOL, "price", (1, 0))
        seal(market)
        assert encode(market.table.tick - 1) not in (None, frame)

    def test_an_empty_market_has_an_empty_list(self) -> None:
        frame = make_market().list_view("token_update", "public.tokens")(0)
        assert frame is not None
        assert orjson.loads(frame)["data"] == []

    def test_token_view(self, market: Market) -> None:
        encode = market.token_view("SOL", "token.SOL")
        frame = encode(0)
        assert frame is not None
        assert orjson.loads(frame) == {
            "type": "token_data",
            "symbol": "SOL",
            "data": market.token("SOL"),
            "channel": "token.SOL",
            "timestamp": "2023-11-14T22:13:20.000Z",
        }
        tick = market.table.tick
        market.set(USDC, "price", (1, 0))
        seal(market)
        assert encode(tick) is None, "another token moved"
        market.set(SOL, "price", (2, 0))
        seal(market)
        assert orjson.loads(encode(tick) or b"{}")["data"]["price"] == 2

    def test_token_view_waits_for_a_token_to_come(self, market: Market) -> None:
        encode = market.token_view("LATE", "token.LATE")
        assert encode(0) is None
        market.upsert(Token(address="Mint", symbol="LATE"))
        assert encode(0) is None
        seal(market)
        assert encode(0) is not None


class TestFeed:
    def test_status_is_told_once_when_it_changes(self) -> None:
        clock = Clock()
        market = make_market(clock)
        told: list[FeedStatus] = []
        market.feed.on_change.append(told.append)
        assert market.feed.age() is None
        market.feed.begin("replay")
        market.feed.touch(3)
        market.feed.touch()
        clock.now += 20
        assert market.feed.age() == 20
        market.feed.become(FeedStatus.STALE)
        market.feed.touch()
        assert told == ["connecting", "live", "stale", "live"]
        assert market.feed.updates == 5
