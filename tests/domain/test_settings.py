"""Settings: who may read which, and a book that follows a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fastws.config import DatabaseConfig
from fastws.domain import settings as room
from fastws.domain.settings import SettingsBook, shape
from fastws.errors import StoreUnavailable, WireError
from fastws.hub import Hub
from fastws.identity import ANONYMOUS
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.settings import Setting, Settings
from tests.fakes import ADMIN, USER, Clock, make_hub

PUBLIC = ["background_scene", "maintenance_mode", "public.*"]


class Reader:
    """A subscriber that keeps its frames."""

    id = "reader"
    writable = True

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def push(self, frame: bytes, channel: str = "") -> None:
        self.frames.append(frame)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        raise AssertionError(code)

    def stalled(self) -> None:
        raise AssertionError("stalled")

    def take(self) -> list[dict[str, Any]]:
        frames = [orjson.loads(frame) for frame in self.frames]
        self.frames.clear()
        return frames


class World:
    """A book over a database that is started after it, as the server does."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.hub: Hub = make_hub(self.clock)
        self.database = Database(url, DatabaseConfig())
        self.book = SettingsBook(self.database, self.hub, PUBLIC, self.clock)
        self.changes: asyncio.Queue[Collection[str]] = asyncio.Queue()
        self.book.on_change.append(self.changes.put_nowait)
        self.elsewhere = Settings(self.database)

    def follow(self, name: str) -> Reader:
        endpoint, _, label = name.partition("/")
        channel = self.hub.find(name) if endpoint == "monitor" else self.book.channel(label)
        assert channel is not None, name
        self.flush()
        reader = Reader()
        channel.attach(reader, None).open()
        return reader

    def flush(self) -> None:
        self.clock.now += 1
        self.hub.flush(self.clock.now)

    async def changed(self) -> set[str]:
        async with asyncio.timeout(10):
            return set(await self.changes.get())


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(world.book.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture
async def world(fresh_url: str) -> AsyncIterator[World]:
    made = World(fresh_url)
    await made.database.start()
    yield made
    await made.database.stop()


def setting(key: str, value: Any = 1) -> Setting:
    return Setting(key, value, "what it is", datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), "me")


@pytest.mark.parametrize(
    ("key", "category", "name"),
    [("plain", None, "plain"), ("a.b", "a", "b"), ("a.b.c", "a", "b.c")],
)
def test_the_shape_on_the_wire(key: str, category: str | None, name: str) -> None:
    assert shape(setting(key)) == {
        "name": name,
        "category": category,
        "value": 1,
        "value_type": "number",
        "description": "what it is",
        "updatedAt": "2026-01-02T03:04:05.006Z",
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        (1, "number"),
        (0.5, "number"),
        ("x", "string"),
        ([], "json"),
        ({}, "json"),
        (None, "json"),
    ],
)
def test_the_type_of_a_value(value: Any, kind: str) -> None:
    assert shape(setting("k", value))["value_type"] == kind


async def test_who_may_read_what(world: World) -> None:
    for key in ("background_scene", "background_scene_2", "public.a", "publicity", "secret.key"):
        await world.elsewhere.set(key, key)
    await world.book.load()
    public = {"background_scene", "public.a"}
    assert set(world.book.shown(USER)) == set(world.book.shown(ANONYMOUS)) == public
    assert set(world.book.shown(ADMIN)) == {*public, *("background_scene_2", "publicity")} | {
        "secret.key"
    }
    assert set(world.book.shown(USER, "public")) == {"public.a"}
    assert world.book.shown(USER, "secret") == {}
    assert set(world.book.shown(ADMIN, "secret")) == {"secret.key"}
    assert world.book.read(ADMIN, "secret.key").value == "secret.key"
    for key in ("secret.key", "none"):
        with pytest.raises(WireError, match=f'Setting "{key}" not found') as caught:
            world.book.read(USER, key)
        assert caught.value.code == "SETTING_NOT_FOUND"
    assert world.book.get("secret.key") is not None


async def test_changes_made_elsewhere_arrive_by_notification(world: World) -> None:
    await world.elsewhere.set("a.old", 1)
    async with running(world):
        assert await world.changed() == {"a.old"}
        await world.elsewhere.set("a.new", 2)
        assert await world.changed() == {"a.new"}
        await world.elsewhere.set("a.old", 3)
        assert await world.changed() == {"a.old"}
        await world.database.execute("DELETE FROM system_settings WHERE key = 'a.old'")
        assert await world.changed() == {"a.old"}
    assert {key: one.value for key, one in world.book.shown(ADMIN).items()} == {"a.new": 2}


async def test_a_change_of_too_many_keys_reads_everything(world: World) -> None:
    async with running(world):
        await world.database.execute(
            "INSERT INTO system_settings (key, value)"
            " SELECT 'many.' || repeat('x', 80) || n, to_jsonb(n) FROM generate_series(1, 200) n"
        )
        assert len(await world.changed()) == 200


async def test_what_is_heard_during_a_reading_is_read_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Settings.all

    async def slow(self: Settings) -> dict[str, Setting]:
        rows = await read(self)
        await world.elsewhere.set("late", 1)
        world.book._hear("late")
        return rows

    await world.database.execute("ALTER TABLE system_settings DISABLE TRIGGER ALL")
    monkeypatch.setattr(Settings, "all", slow)
    await world.book.load()
    assert world.book.get("late") is None
    async with running(world):
        assert await world.changed() == {"late"}


async def test_without_a_trigger_the_book_is_reconciled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RECONCILE_SECONDS", 0.02)
    await world.database.execute("ALTER TABLE system_settings DISABLE TRIGGER ALL")
    async with running(world):
        await world.elsewhere.set("quiet", 1)
        assert await world.changed() == {"quiet"}


async def test_the_book_survives_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastws.store.pool.CHECK_SECONDS", 0.05)
    async with running(world):
        await world.elsewhere.set("kept", 1)
        await world.changed()
        await world.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert world.book.get("kept") is not None
        async with asyncio.timeout(10):
            while True:
                try:
                    await world.elsewhere.set("after", 2)
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.01)
        assert await world.changed() == {"after"}


async def test_an_update_is_audited_and_seen_at_once(world: World) -> None:
    await world.book.update("game.speed", 5, "how fast", ADMIN, address="1.2.3.4")
    made = await world.book.update("game.speed", [6], None, ADMIN, user_agent="a\0b")
    assert world.book.get("game.speed") == made
    assert (made.value, made.description, made.updated_by) == ([6], "how fast", ADMIN.wallet)
    newest, oldest = await Audit(world.database).latest()
    assert (newest["admin_address"], newest["action"]) == (ADMIN.wallet, "SETTING_UPDATE")
    assert newest["details"] == {"key": "game.speed", "value": [6], "previous": 5}
    assert oldest["details"] == {"key": "game.speed", "value": 5, "previous": None}
    assert (oldest["ip_address"], newest["user_agent"]) == ("1.2.3.4", "ab")


@pytest.mark.parametrize(
    ("key", "value", "description"),
    [
        ("", 1, None),
        ("a b", 1, None),
        ("a\nb", 1, None),
        ("a..b", 1, None),
        (".a", 1, None),
        ("x" * 101, 1, None),
        ("a", None, None),
        ("a", "nul \0", None),
        ("a", {"deep": ["\0"]}, None),
        ("a", {"\0": 1}, None),
        ("a", 2**70, None),
        ("a", 1, "\0"),
        ("a", 1, "x" * 1001),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    world: World, key: str, value: Any, description: str | None
) -> None:
    with pytest.raises(WireError) as caught:
        await world.book.update(key, value, description, ADMIN)
    assert caught.value.code == "INVALID_REQUEST"
    assert await Audit(world.database).latest() == []


async def test_a_backslash_is_not_a_nul(world: World) -> None:
    made = await world.book.update("a", "\\u0000 \\\\", None, ADMIN)
    assert made.value == "\\u0000 \\\\"


async def test_a_failed_update_changes_nothing(world: World) -> None:
    await world.database.stop()
    with pytest.raises(StoreUnavailable):
        await world.book.update("a", 1, None, ADMIN)
    assert world.book.get("a") is None


async def test_the_monitor_hears_changed_values(world: World) -> None:
    reader = world.follow("monitor/system.settings")
    scene = world.follow("monitor/public.background_scene")
    await world.book.update("a.b", 1, None, ADMIN)
    await world.book.update("background_scene", {"enabled": True}, None, ADMIN)
    world.flush()
    (frame,) = reader.take()
    assert (frame["type"], frame["subtype"]) == ("system_settings", "update")
    assert (frame["channel"], "timestamp" in frame) == ("system.settings", True)
    assert frame["data"] == {"a.b": 1, "background_scene": {"enabled": True}}
    (frame,) = scene.take()
    assert (frame["type"], frame["subtype"]) == ("system_settings", "background_scene")
    assert (frame["data"], frame["channel"]) == ({"enabled": True}, "public.background_scene")
    await world.book.update("a.b", 1, "another text alone", ADMIN)
    world.flush()
    assert reader.take() == scene.take() == []
    await world.database.execute("DELETE FROM system_settings")
    await world.book.load()
    world.flush()
    assert reader.take()[0]["data"] == {"a.b": None, "background_scene": None}
    assert scene.take()[0]["data"] is None


async def test_followers_hear_their_key_or_category(world: World) -> None:
    for key in ("game.speed", "game.size", "other.one", "public.news"):
        await world.book.update(key, 1, None, ADMIN)
    one = world.follow("system-settings/setting.game.speed")
    category = world.follow("system-settings/category.game")
    everyone = world.follow("system-settings/public.category.public")
    for key in ("game.speed", "game.size", "other.one", "public.news"):
        await world.book.update(key, 2, None, ADMIN)
    world.flush()
    (frame,) = one.take()
    assert (frame["type"], frame["key"]) == ("setting_update", "game.speed")
    assert frame["setting"] == shape(world.book.read(ADMIN, "game.speed"))
    assert frame["channel"] == "setting.game.speed"
    frames = category.take()
    assert sorted(frame["key"] for frame in frames) == ["game.size", "game.speed"]
    assert [frame["key"] for frame in everyone.take()] == ["public.news"]
    await world.book.update("game.new", 1, None, ADMIN)
    world.flush()
    assert one.take() == []
    assert [frame["key"] for frame in category.take()] == ["game.new"]
    await world.database.execute("DELETE FROM system_settings WHERE key = 'game.speed'")
    await world.book.load()
    world.flush()
    assert [(f["key"], f["setting"]) for f in one.take()] == [("game.speed", None)]


async def test_channels_exist_for_what_exists(world: World) -> None:
    await world.book.update("game.speed", 1, None, ADMIN)
    before = len(world.hub.channels)
    for label in (
        "setting.none",
        "setting.game",
        "category.gam",
        "category.none",
        "public.category.game",
        "public.category.",
        "public.x",
        "nonsense",
        "",
    ):
        assert world.book.channel(label) is None, label
    assert len(world.hub.channels) == before, "asking makes nothing"
    assert world.book.channel("setting.game.speed") is world.book.channel("setting.game.speed")


async def test_who_may_follow_what(world: World) -> None:
    await world.book.update("game.speed", 1, None, ADMIN)
    await world.book.update("public.news", 1, None, ADMIN)
    book = world.book
    assert book.setting_label(ADMIN, "game.speed") == "setting.game.speed"
    with pytest.raises(WireError):
        book.setting_label(USER, "game.speed")
    assert book.setting_label(USER, "public.news") == "setting.public.news"
    assert book.category_label(ADMIN, "public") == "category.public"
    assert book.category_label(USER, "public") == "public.category.public"
    for label in ("setting.game.speed", "category.game", "category.public", "anything"):
        assert not book.may_follow(USER, label)
        assert book.may_follow(ADMIN, label)
    for label in ("setting.public.news", "public.category.game"):
        assert book.may_follow(USER, label)
