"""The whitelist over a real PostgreSQL: audited, before any source, over a restart."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import UNSET

from fastws._core.table import Table
from fastws.domain.market import COLUMNS, Market, Token
from fastws.domain.market.notices import Notices
from fastws.domain.market.whitelist import Whitelist
from fastws.errors import WireError
from fastws.identity import Author, Role
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.whitelist import Entry, WhitelistRows
from tests.fakes import Clock

MINT = "So11111111111111111111111111111111111111112"
ADMIN = Author("admin1", Role.ADMIN, "203.0.113.7", "console")
AS_IT_IS = {"symbol": UNSET, "name": UNSET, "decimals": UNSET, "image_url": UNSET}


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.audit = Audit(database)
        self.again()

    def again(self) -> None:
        """As after a restart."""
        self.market = Market(Table("tokens", COLUMNS, epoch=1), Clock())
        self.notices = Notices(self.market)
        self.whitelist = Whitelist(
            self.market, self.database, WhitelistRows(self.database), self.audit
        )
        self.told: list[tuple[str, str, str]] = []

        async def tell(action: str, entry: Entry, by: str) -> None:
            self.told.append((action, entry.symbol, by))

        self.whitelist.on_changed.append(tell)

    async def actions(self) -> list[tuple[str, str]]:
        rows = await self.audit.latest()
        return [(row["action"], row["admin_address"]) for row in reversed(rows)]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_added_edited_removed_and_each_is_in_the_audit(world: World) -> None:
    added = await world.whitelist.add(ADMIN, MINT, symbol="SOL", decimals=9)
    assert (added.version, added.listed, added.updated_by) == (1, True, "admin1")
    assert world.market.resolve("SOL") == MINT
    edited = await world.whitelist.edit(ADMIN, MINT, 1, **{**AS_IT_IS, "name": "Solana"})
    assert (edited.version, edited.name, edited.decimals) == (2, "Solana", 9)
    removed = await world.whitelist.remove(Author("admin2", Role.ADMIN), MINT, 2)
    assert (removed.version, removed.listed) == (3, False)
    assert world.market.resolve("SOL") is None
    assert await world.actions() == [
        ("whitelist_added", "admin1"),
        ("whitelist_edited", "admin1"),
        ("whitelist_removed", "admin2"),
    ]
    assert world.told == [
        ("added", "SOL", "admin1"),
        ("edited", "SOL", "admin1"),
        ("removed", "SOL", "admin2"),
    ]
    (row,) = (await world.audit.latest(1),)
    assert row[0]["details"]["listed"] is False


async def test_what_is_set_here_goes_before_what_a_source_says(world: World) -> None:
    await world.whitelist.add(ADMIN, MINT, symbol="SOL", name="Solana")
    source = Token(address=MINT, symbol="WSOL", name="Wrapped", decimals=9, color="#123")
    world.market.upsert(source)
    token = world.market.metadata(MINT)
    assert token is not None
    assert (token.symbol, token.name, token.decimals, token.color) == ("SOL", "Solana", 9, "#123")
    await world.whitelist.edit(ADMIN, MINT, 1, **{**AS_IT_IS, "name": None})
    world.market.upsert(source)
    assert world.market.metadata(MINT).name == "Wrapped"  # type: ignore[union-attr]
    await world.whitelist.remove(ADMIN, MINT, 2)
    world.market.upsert(source)
    assert world.market.resolve("SOL") is None, "a source cannot bring it back"


async def test_it_is_the_same_after_a_restart(world: World) -> None:
    await world.whitelist.add(ADMIN, MINT, symbol="SOL")
    await world.whitelist.add(ADMIN, MINT[:-1] + "3", symbol="BAD")
    await world.whitelist.remove(ADMIN, MINT[:-1] + "3", 1)
    world.again()
    world.market.upsert(Token(address=MINT[:-1] + "3", symbol="BAD"))
    await world.whitelist.load()
    assert world.market.resolve("SOL") == MINT
    assert world.market.resolve("BAD") is None
    assert [(one.symbol, one.listed) for one in world.whitelist.entries()] == [
        ("BAD", False),
        ("SOL", True),
    ]


@pytest.mark.parametrize(
    ("version", "code"), [(1, "CONFLICT"), (3, "CONFLICT"), (None, "NOT_LISTED")]
)
async def test_a_change_that_comes_too_late_changes_nothing(
    world: World, version: int | None, code: str
) -> None:
    await world.whitelist.add(ADMIN, MINT, symbol="SOL")
    await world.whitelist.edit(ADMIN, MINT, 1, **{**AS_IT_IS, "symbol": "SOL2"})
    before = await world.actions()
    address = MINT if version else "nobody"
    for change in (
        world.whitelist.edit(ADMIN, address, version or 1, **AS_IT_IS),
        world.whitelist.remove(ADMIN, address, version or 1),
    ):
        with pytest.raises(WireError) as caught:
            await change
        assert caught.value.code == code
    assert world.market.resolve("SOL2") == MINT
    assert await world.actions() == before


async def test_of_two_at_once_one_wins_and_the_other_is_told(world: World) -> None:
    await world.whitelist.add(ADMIN, MINT, symbol="SOL")
    names = ["first", "second"]
    done = await asyncio.gather(
        *(world.whitelist.edit(ADMIN, MINT, 1, **{**AS_IT_IS, "name": name}) for name in names),
        return_exceptions=True,
    )
    (won,) = [one for one in done if isinstance(one, Entry)]
    (lost,) = [one for one in done if isinstance(one, WireError)]
    assert (lost.code, lost.fields) == ("CONFLICT", {"version": 2})
    assert world.market.metadata(MINT).name == won.name  # type: ignore[union-attr]
    with pytest.raises(WireError, match="on the whitelist"):
        await world.whitelist.add(ADMIN, MINT, symbol="SOL")


async def test_notices_say_what_was_and_what_is(world: World) -> None:
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana"))
    assert list(world.notices.take()) == [], "a new token is no change of one"
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana 2"))
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana 3", decimals=9))
    ((token, fields),) = world.notices.take()
    assert (token.name, fields) == (
        "Solana 3",
        {"name": ("Solana", "Solana 3"), "decimals": (None, 9)},
    )
    world.market.upsert(Token(address=MINT, symbol="SOL", name="x", decimals=9))
    world.market.upsert(Token(address=MINT, symbol="SOL", name="Solana 3", decimals=9))
    assert list(world.notices.take()) == [], "it is called as it was"
    world.market.upsert(Token(address=MINT, symbol="SOL", name="y"))
    world.market.remove(MINT)
    assert list(world.notices.take()) == []
