"""Each subject's questions, against a real server."""

from __future__ import annotations

import asyncio
import time
from importlib import resources

import pytest

from fastws.config import DatabaseConfig
from fastws.errors import StoreUnavailable
from fastws.store.audit import Audit
from fastws.store.challenges import Challenges
from fastws.store.connections import Closed, ConnectionLog, Opened
from fastws.store.migrate import migrate
from fastws.store.pool import Database
from fastws.store.sessions import RevokedSessions
from fastws.store.settings import Settings
from fastws.store.users import User, Users

WALLET = "So11111111111111111111111111111111111111112"


async def test_users_are_made_touched_promoted_and_banned(database: Database) -> None:
    users = Users(database)
    assert await users.get(WALLET) is None
    assert await users.create_or_touch(WALLET) == User(WALLET, "degen_So1111", "user")
    await users.set_role(WALLET, "admin")
    assert await users.create_or_touch(WALLET) == User(WALLET, "degen_So1111", "admin")
    await users.set_banned(WALLET, True, "spam")
    assert await users.get(WALLET) is None
    assert await users.create_or_touch(WALLET) is None
    await users.set_banned(WALLET, False)
    assert await users.get(WALLET) is not None
    await users.set_role("another", "superadmin")
    assert (await users.get("another")) == User("another", "degen_anothe", "superadmin")


async def test_a_challenge_is_used_once_and_replaced(database: Database) -> None:
    challenges = Challenges(database)
    await challenges.put(WALLET, "a", 1000.5)
    await challenges.put(WALLET, "b", 2000.25)
    assert await challenges.get(WALLET) == ("b", 2000.25)
    assert not await challenges.consume(WALLET, "a")
    assert await challenges.consume(WALLET, "b")
    assert not await challenges.consume(WALLET, "b")
    await challenges.put(WALLET, "c", 1.0)
    await challenges.prune(time.time())
    assert await challenges.get(WALLET) is None


async def test_a_revocation_reaches_another_process(database: Database) -> None:
    ours, theirs = RevokedSessions(database), RevokedSessions(database)
    later = time.time() + 100
    assert await theirs.news() == []
    await ours.revoke("s1", later)
    assert await ours.is_revoked("s1")
    assert await theirs.is_revoked("s1"), "at once for a new handshake"
    assert await theirs.news() == ["s1"]
    assert await theirs.news() == []
    assert not await theirs.is_revoked("s2")
    await ours.revoke("s1", later - 50)
    await ours.prune(later + 1)
    assert not await ours.is_revoked("s1")


async def test_settings_keep_their_description(database: Database) -> None:
    settings = Settings(database)
    await settings.set("a.b", {"x": 1}, "what it is", "me")
    changed = await settings.set("a.b", [1], by="you")
    assert (changed.value, changed.description, changed.updated_by) == ([1], "what it is", "you")
    assert set(await settings.all()) == {"a.b"}
    assert await settings.some(["none", "a.b"]) == {"a.b": changed}


async def test_the_audit_trail_is_written_with_its_action_or_not_at_all(
    database: Database,
) -> None:
    audit, settings = Audit(database), Settings(database)

    async def act(fail: bool) -> None:
        async with database.transaction() as connection:
            await settings.set("k", fail, connection=connection)
            await audit.write("me", "set", {"k": fail}, address="1.2.3.4", connection=connection)
            if fail:
                raise RuntimeError

    await act(fail=False)
    with pytest.raises(RuntimeError):
        await act(fail=True)
    (row,) = await audit.latest()
    assert (row["admin_address"], row["action"], row["details"]) == ("me", "set", {"k": False})
    assert (await settings.all())["k"].value is False


def opened(id: str) -> Opened:
    return Opened(id, "1.2.3.4", "agent\0", WALLET, "nick", "test", None, time.time())


def closed(id: str) -> Closed:
    return Closed(id, time.time(), 1.5, 1000, "bye", ["a", "b"], 3, 4)


async def test_connections_are_written_in_batches(database: Database) -> None:
    log = ConnectionLog(database)
    for number in range(50):
        log.opened(opened(str(number)))
    log.closed(closed("0"))
    assert log.waiting == 51
    assert await log.flush() == 51
    assert await log.flush() == 0
    rows = await database.fetch("SELECT * FROM websocket_connections ORDER BY connected_at")
    assert len(rows) == 50
    ended = next(row for row in rows if row["connection_id"] == "0")
    assert (ended["close_code"], ended["subscribed_topics"]) == (1000, ["a", "b"])
    assert sum(row["disconnected_at"] is None for row in rows) == 49


async def test_connections_wait_for_the_database_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastws.store.connections.MOST_WAITING", 3)
    log = ConnectionLog(Database("postgresql://nowhere", DatabaseConfig()))
    for number in range(5):
        log.opened(opened(str(number)))
    with pytest.raises(StoreUnavailable):
        await log.flush()
    assert (log.waiting, log.dropped) == (3, 2)


async def test_processes_that_start_together_migrate_once(postgres_url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE DATABASE empty_one")
    url = postgres_url.replace("/postgres?", "/empty_one?")
    both = [Database(url, DatabaseConfig()) for _ in range(2)]
    for one in both:
        await one.start()
    applied = await asyncio.gather(*map(migrate, both))
    files = [one.name for one in (resources.files("fastws.store") / "schema").iterdir()]
    assert sorted(applied) == [[], sorted(name for name in files if name.endswith(".sql"))]
    for one in both:
        await one.stop()
    await connection.execute("DROP DATABASE empty_one WITH (FORCE)")
    await connection.close()
