"""System settings: reading by visibility, following, changing with an audit (wire.md A8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastws.config import Config, DatabaseConfig
from fastws.connection import Peer
from fastws.domain.settings import SettingsBook
from fastws.endpoints.system_settings import SystemSettings
from fastws.identity import Identity
from fastws.store.audit import Audit
from fastws.store.pool import Database
from tests.endpoints.books import make_book, write
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_connection, make_hub, opened


class World:
    def __init__(self, book: SettingsBook | None = None) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.book = book or make_book(
            self.hub,
            self.clock,
            background_scene={"enabled": True},
            game__speed=5,
            game__name="duel",
            public__news="n",
        )
        self.endpoint = SystemSettings(make_base(self.hub, self.clock), self.book)
        self.flush()

    def flush(self) -> None:
        self.clock.now += 1
        self.hub.flush(self.clock.now)


@pytest.fixture
def world() -> World:
    return World()


NEWS = {
    "name": "news",
    "category": "public",
    "value": "n",
    "value_type": "string",
    "description": "about public.news",
    "updatedAt": "2026-01-02T03:04:05.000Z",
}


def test_its_paths(world: World) -> None:
    assert (world.endpoint.path, world.endpoint.aliases) == ("system-settings", ("settings",))
    assert world.endpoint.name == "system_settings"


@pytest.mark.parametrize(("who", "writes"), [(USER, False), (ADMIN, True)])
async def test_the_opening(world: World, who: Identity, writes: bool) -> None:
    _, _, frames = await opened(world.endpoint, who)
    assert [frame["type"] for frame in frames] == [
        "welcome",
        "all_settings",
        "connection_established",
    ]
    assert frames[0]["message"] == "Connected to System Settings WebSocket"
    assert frames[0]["canWrite"] is writes
    keys = {"background_scene", "public.news"}
    assert set(frames[1]["settings"]) == (keys | {"game.speed", "game.name"} if writes else keys)
    assert frames[1]["settings"]["public.news"] == NEWS


async def test_nobody_is_closed_4001(world: World) -> None:
    _, outlet, _ = await opened(world.endpoint)
    assert outlet.closed == (4001, "Authentication required")


async def test_one_setting(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    (frame,) = await ask(conn, outlet, type="get_setting", key="public.news", id="x")
    assert (frame["type"], frame["key"], frame["id"]) == ("setting", "public.news", "x")
    assert frame["setting"] == NEWS
    for key in ("game.speed", "none", "public", "public."):
        (error,) = await ask(conn, outlet, type="get_setting", key=key)
        assert error["code"] == "SETTING_NOT_FOUND"
        assert error["message"] == f'Setting "{key}" not found'
    (error,) = await ask(conn, outlet, type="get_setting")
    assert (error["code"], error["message"]) == ("INVALID_REQUEST", "Setting key is required")


async def test_a_category(world: World) -> None:
    for who, expected in ((ADMIN, {"game.speed", "game.name"}), (USER, set())):
        conn, outlet, _ = await opened(world.endpoint, who)
        (frame,) = await ask(conn, outlet, type="get_category_settings", category="game")
        assert (frame["type"], frame["category"]) == ("category_settings", "game")
        assert set(frame["settings"]) == expected
    (error,) = await ask(conn, outlet, type="get_category_settings")
    assert (error["code"], error["message"]) == ("INVALID_REQUEST", "Category is required")


async def test_all_settings_again(world: World) -> None:
    conn, outlet, frames = await opened(world.endpoint, USER)
    (again,) = await ask(conn, outlet, type="get_all_settings")
    assert again["settings"] == frames[1]["settings"]


async def test_as_older_clients_ask(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    (frame,) = await ask(conn, outlet, type="GET_SYSTEM_SETTINGS", timestamp=5)
    assert frame["type"] == "SYSTEM_SETTINGS_UPDATE"
    assert frame["data"] == {"background_scene": {"enabled": True}, "public.news": "n"}
    assert "requestId" not in frame
    (frame,) = await ask(
        conn, outlet, type="GET_SYSTEM_SETTINGS", key="public.news", requestId="r1"
    )
    assert (frame["data"], frame["requestId"]) == ({"public.news": "n"}, "r1")
    (error,) = await ask(conn, outlet, type="GET_SYSTEM_SETTINGS", key="game.speed")
    assert error["code"] == "SETTING_NOT_FOUND"


async def test_following_a_setting(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    frames = await ask(conn, outlet, type="subscribe_setting", key="public.news", id=1)
    assert [(f["type"], f["key"], f["id"]) for f in frames] == [("subscribed", "public.news", 1)]
    write(world.book, public__news="m", game__speed=6)
    world.flush()
    (frame,) = outlet.take()
    assert (frame["type"], frame["key"]) == ("setting_update", "public.news")
    assert frame["setting"] == {**NEWS, "value": "m"}
    assert frame["channel"] == "setting.public.news"
    for _ in range(2):
        (done,) = await ask(conn, outlet, type="unsubscribe_setting", key="public.news")
        assert (done["type"], done["key"]) == ("unsubscribed", "public.news")
    write(world.book, public__news="o")
    world.flush()
    assert outlet.take() == []


async def test_following_a_category(world: World) -> None:
    admin, told, _ = await opened(world.endpoint, ADMIN)
    user, heard, _ = await opened(world.endpoint, USER)
    (frame,) = await ask(admin, told, type="subscribe_category", category="game")
    assert (frame["type"], frame["category"]) == ("subscribed_category", "game")
    (frame,) = await ask(user, heard, type="subscribe_category", category="public")
    assert frame["type"] == "subscribed_category"
    write(world.book, game__speed=6, game__name="d", public__news="m")
    world.flush()
    assert sorted(f["key"] for f in told.take()) == ["game.name", "game.speed"]
    assert [f["key"] for f in heard.take()] == ["public.news"]
    (done,) = await ask(admin, told, type="unsubscribe_category", category="game")
    assert (done["type"], done["category"]) == ("unsubscribed", "game")
    write(world.book, game__speed=7)
    world.flush()
    assert told.take() == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe_setting", "key": "game.speed"},
        {"type": "subscribe_setting", "key": "none"},
        {"type": "subscribe_category", "category": "game"},
        {"type": "subscribe_category", "category": "none"},
        {"type": "subscribe", "channel": "setting.game.speed"},
        {"type": "subscribe", "channel": "category.game"},
        {"type": "subscribe", "channel": "category.public"},
        {"type": "subscribe", "channel": "public.category.game"},
    ],
)
async def test_what_a_user_may_not_follow(world: World, message: dict[str, Any]) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    (error,) = await ask(conn, outlet, **message)
    assert error["code"] in ("SETTING_NOT_FOUND", "SUBSCRIPTION_DENIED", "UNKNOWN_CHANNEL")
    write(world.book, game__speed=6, game__name="d")
    world.flush()
    assert outlet.take() == []
    assert conn.subscriptions == {}


async def test_users_may_not_write(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, USER)
    for message in ({}, {"key": "public.news", "value": 1}):
        (error,) = await ask(conn, outlet, type="update_setting", **message)
        assert error["code"] == "PERMISSION_DENIED"
        assert error["message"] == "Only admins can update settings"


@pytest.fixture
async def written(fresh_url: str) -> AsyncIterator[tuple[World, Database]]:
    """A world over a database."""
    clock = Clock()
    hub = make_hub(clock)
    database = Database(fresh_url, DatabaseConfig())
    world = World(SettingsBook(database, hub, Config().public_settings, clock))
    world.hub = hub
    await database.start()
    yield world, database
    await database.stop()


async def test_an_admin_writes(written: tuple[World, Database]) -> None:
    world, database = written
    conn, outlet = make_connection(
        world.endpoint, ADMIN, peer=Peer(address="1.2.3.4", user_agent="agent")
    )
    conn.begin()
    await conn.idle()
    sent = {"type": "update_setting", "key": "public.news", "value": [1], "description": "d"}
    (frame,) = await ask(conn, outlet, **sent, id=4)
    assert (frame["type"], frame["key"], frame["id"]) == ("setting_updated", "public.news", 4)
    assert frame["setting"]["value"] == [1]
    assert frame["setting"]["value_type"] == "json"
    (read,) = await ask(conn, outlet, type="get_setting", key="public.news")
    assert read["setting"] == frame["setting"], "his own write is seen at once"
    (row,) = await Audit(database).latest()
    assert (row["admin_address"], row["ip_address"], row["user_agent"]) == (
        ADMIN.wallet,
        "1.2.3.4",
        "agent",
    )
    world.flush()
    user, heard, _ = await opened(world.endpoint, USER)
    await ask(user, heard, type="subscribe_setting", key="public.news")
    await ask(conn, outlet, type="update_setting", key="public.news", value=2)
    world.flush()
    (update,) = heard.take()
    assert (update["type"], update["setting"]["value"]) == ("setting_update", 2)
    assert update["setting"]["description"] == "d"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({}, "Setting key and value are required"),
        ({"key": "a"}, "Setting key and value are required"),
        ({"value": 1}, "Setting key and value are required"),
        ({"key": "a", "value": None}, "A value must not be null"),
        ({"key": "a b", "value": 1}, None),
        ({"key": "a", "value": 1, "description": 5}, None),
    ],
)
async def test_what_is_no_setting(world: World, message: dict[str, Any], text: str | None) -> None:
    conn, outlet, _ = await opened(world.endpoint, ADMIN)
    (error,) = await ask(conn, outlet, type="update_setting", **message)
    assert error["code"] == "INVALID_REQUEST"
    assert text in (None, error["message"])


async def test_without_a_database_nothing_is_written(world: World) -> None:
    conn, outlet, _ = await opened(world.endpoint, ADMIN)
    (error,) = await ask(conn, outlet, type="update_setting", key="a", value=1)
    assert error["code"] == "SERVICE_UNAVAILABLE"
    (frame,) = await ask(conn, outlet, type="get_setting", key="game.speed")
    assert frame["setting"]["value"] == 5, "reading needs no database"
