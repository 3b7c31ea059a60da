"""The platform's rows become the market: by notification, by polling, after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from fastws._core.table import Table
from fastws.config import DatabaseConfig
from fastws.domain.market import COLUMNS, FeedStatus, Market, Token
from fastws.sources.platform import WHOLE_SECONDS, Platform
from fastws.store.pool import Database
from fastws.store.tokens import TokenRow, Tokens


class Followed:
    """A market, the platform source that fills it, and another service's connection."""

    def __init__(self, url: str, poll_seconds: float = 60.0, **options: float) -> None:
        self.market = Market(Table("tokens", COLUMNS, epoch=1), lambda: 1_700_000_000.0)
        self.now = 0.0
        self.database = Database(url, DatabaseConfig())
        self.source = Platform(
            self.market, self.database, poll_seconds, monotonic=lambda: self.now, **options
        )
        self.writer = Database(url, DatabaseConfig())
        self.rows = Tokens(self.writer)
        self._moved = asyncio.Event()
        read = self.source.read

        async def reading() -> None:
            try:
                await read()
            finally:
                self._moved.set()

        self.source.read = reading  # type: ignore[method-assign]

    def price(self, name: str) -> Decimal | None:
        self.market.table.seal(0.0)
        key = self.market.resolve(name)
        figure = None if key is None else self.market.figure(key, "price")
        return None if figure is None else Decimal(figure[0]).scaleb(figure[1])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def following(
    url: str, poll_seconds: float = 60.0, **options: float
) -> AsyncIterator[Followed]:
    made = Followed(url, poll_seconds, **options)
    await made.database.start()
    await made.writer.start()
    task = asyncio.create_task(made.source.run())
    try:
        begun = (FeedStatus.LIVE, FeedStatus.STALE)
        await made.until(lambda: made.market.feed.status in begun)
        yield made
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await made.writer.stop()
        await made.database.stop()


def row(address: str, symbol: str, price: str = "1", **more: object) -> TokenRow:
    fields = {
        "id": 0, "address": address, "symbol": symbol, "name": symbol.title(), "decimals": 6,
        "is_active": True, "price": Decimal(price), **more,
    }  # fmt: skip
    return TokenRow(**fields)  # type: ignore[arg-type]


class TestRows:
    async def test_what_is_there_at_the_start(self, fresh_url: str) -> None:
        seed = Database(fresh_url, DatabaseConfig())
        await seed.start()
        url = "https://example.org/a.png"
        more = {
            "change_24h": Decimal("-3.5"),
            "volume_24h": Decimal("1234567.89"),
            "image_url": url,
        }
        await Tokens(seed).put([row("MintA", "AAA", "0.000000123456789", **more)])
        await seed.stop()
        async with following(fresh_url) as followed:
            assert followed.market.feed.status is FeedStatus.LIVE
            followed.market.table.seal(0.0)
            assert followed.market.token("AAA") == {
                "id": 1,
                "symbol": "AAA",
                "name": "Aaa",
                "address": "MintA",
                "decimals": 6,
                "price": 1.23456789e-07,
                "change_24h": -3.5,
                "volume_24h": 1234567.89,
                "image_url": url,
            }
            text = followed.market.token_json("AAA")
            assert text is not None
            assert b'"price":0.000000123456789' in text

    async def test_an_inactive_token_has_no_symbol(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.rows.put([row("Old", "AAA", is_active=False), row("New", "AAA", "2")])
            await followed.until(lambda: len(followed.market) == 2)
            assert followed.market.resolve("AAA") == "New"
            assert followed.price("Old") == 1

    async def test_nonsense_is_left_out(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.rows.put(
                [row("A", "AAA", "NaN", image_url="javascript:alert(1)"), row("B", "BBB")]
            )
            await followed.until(lambda: len(followed.market) == 2)
            assert followed.price("AAA") is None
            assert followed.price("BBB") == 1
            assert "image_url" not in (followed.market.token("AAA") or {})
            assert followed.market.feed.malformed >= 1


class TestNotifications:
    async def test_a_new_token_comes_at_once(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            assert followed.price("AAA") == 1

    async def test_metadata_changes_and_deletions(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.rows.put([row("A", "AAA"), row("B", "BBB")])
            await followed.until(lambda: len(followed.market) == 2)
            await followed.writer.execute("UPDATE tokens SET symbol = 'CCC' WHERE address = 'A'")
            await followed.until(lambda: followed.market.resolve("CCC") == "A")
            assert followed.market.resolve("AAA") is None
            await followed.writer.execute("DELETE FROM tokens WHERE address = 'B'")
            await followed.until(lambda: len(followed.market) == 1)

    async def test_a_flood_is_coalesced(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.writer.execute("""
                INSERT INTO tokens (address, symbol, name)
                SELECT 'Mint' || n, 'S' || n, 'Name' FROM generate_series(1, 3000) n
            """)
            await followed.until(lambda: len(followed.market) == 3000)
            for number in range(200):
                followed.source._hear(f"Mint{number}\nMint{number + 1}")
            assert len(followed.source._changed) == 201
            for number in range(2000):
                followed.source._hear(f"Mint{number}")
            assert len(followed.source._changed) <= 1000, "bounded"

    async def test_a_writer_may_announce_prices(self, fresh_url: str) -> None:
        async with following(fresh_url) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            await followed.writer.execute("UPDATE token_prices SET price = 2, updated_at = now()")
            await followed.writer.execute("NOTIFY fastws_token_prices")
            await followed.until(lambda: followed.price("AAA") == 2)


class TestPolling:
    async def test_prices_without_any_notification(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            await followed.writer.execute("UPDATE token_prices SET price = 3, updated_at = now()")
            await followed.until(lambda: followed.price("AAA") == 3)

    async def test_a_price_that_commits_late_is_not_lost(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            await followed.rows.put([row("A", "AAA"), row("B", "BBB")])
            await followed.until(lambda: len(followed.market) == 2)
            async with followed.writer.transaction() as late:
                await late.execute(
                    "UPDATE token_prices SET price = 7, updated_at = now() FROM tokens"
                    " WHERE id = token_id AND address = 'A'"
                )
                other = Tokens(followed.database)
                await other.put([row("B", "BBB", "8")])
                await followed.until(lambda: followed.price("BBB") == 8)
                assert followed.price("AAA") == 1
            await followed.until(lambda: followed.price("AAA") == 7)

    async def test_a_database_without_our_triggers(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            await followed.writer.execute("DROP FUNCTION fastws_notify_keys CASCADE")
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            await followed.writer.execute("UPDATE tokens SET symbol = 'BBB'")
            followed.now += WHOLE_SECONDS
            await followed.until(lambda: followed.market.resolve("BBB") == "A")

    async def test_what_others_brought_is_left_alone(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            followed.market.upsert(Token(address="Published", symbol="PUB"))
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            await followed.writer.execute("DELETE FROM tokens")
            followed.now += WHOLE_SECONDS
            await followed.until(lambda: "A" not in followed.market)
            assert "Published" in followed.market

    async def test_a_full_market_is_told_and_does_not_spin(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            followed.market._max = 1
            await followed.rows.put([row("A", "AAA"), row("B", "BBB")])
            await followed.until(lambda: followed.market.feed.malformed >= 1)
            await followed.source._read_changes()
            await followed.source._read_changes()
            assert not followed.source._changed
            assert list(followed.source._mine) == ["A"]


class TestAway:
    async def test_old_prices_are_stale(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05, stale_seconds=60) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: followed.market.feed.status is FeedStatus.LIVE)
            await followed.writer.execute(
                "UPDATE token_prices SET updated_at = now() - interval '2 minutes'"
            )
            await followed.until(lambda: followed.market.feed.status is FeedStatus.STALE)

    async def test_foreign_tables_do_not_end_the_source(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: followed.market.feed.status is FeedStatus.LIVE)
            await followed.writer.execute("ALTER TABLE token_prices RENAME TO elsewhere")
            await followed.until(lambda: followed.market.feed.status is FeedStatus.STALE)
            await followed.writer.execute("ALTER TABLE elsewhere RENAME TO token_prices")
            await followed.until(lambda: followed.market.feed.status is FeedStatus.LIVE)

    async def test_the_database_goes_and_comes_back(self, fresh_url: str) -> None:
        async with following(fresh_url, poll_seconds=0.05) as followed:
            await followed.rows.put([row("A", "AAA")])
            await followed.until(lambda: "A" in followed.market)
            name = await followed.writer.fetchval("SELECT current_database()")
            other = await _admin(fresh_url, name)
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await other.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            await followed.until(lambda: followed.market.feed.status is FeedStatus.STALE)
            assert followed.price("AAA") == 1, "the last prices stay"
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await other.stop()
            await followed.until(lambda: followed.market.feed.status is FeedStatus.LIVE)


async def _admin(url: str, name: str) -> Database:
    database = Database(url.replace(f"/{name}?", "/postgres?"), DatabaseConfig())
    await database.start()
    return database
