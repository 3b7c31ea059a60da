"""A session revoked anywhere ends here: by the broker at once, by the table soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fastws.broker import MemoryBroker
from fastws.config import AuthConfig
from fastws.errors import Unavailable
from fastws.identity import Authority, Identity, Revocations, Tokens
from fastws.store.challenges import Challenges
from fastws.store.pool import Database
from fastws.store.sessions import RevokedSessions
from fastws.store.users import Users
from tests.identity.desk import Clock
from tests.identity.forge import SECRET, SESSION


class Process:
    """One process of the server, as far as sessions go."""

    def __init__(self, database: Database, broker: MemoryBroker) -> None:
        self.clock = Clock()
        self.closed: list[str] = []
        self.noticed = asyncio.Event()
        self.revoked = RevokedSessions(database)
        self.challenges = Challenges(database)
        self.watch = Revocations(self.revoked, self.challenges, broker, self._close, self.clock)
        auth = AuthConfig(jwt_secret=SECRET)
        self.authority = Authority(
            auth,
            Tokens(auth, self.clock),
            Users(database),
            self.challenges,
            self.revoked,
            self.clock,
            self.watch.announce,
        )

    def _close(self, session_id: str) -> int:
        self.closed.append(session_id)
        self.noticed.set()
        return 1

    async def revoke(self, session_id: str = SESSION) -> None:
        await self.authority.revoke(session_id, self.clock.now + 3600)


@asynccontextmanager
async def watching(process: Process, seconds: float = 0.01) -> AsyncIterator[None]:
    task = asyncio.ensure_future(process.watch.run(seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_a_revocation_closes_here_at_once(database: Database) -> None:
    process = Process(database, MemoryBroker(keep=1))
    await process.revoke()
    assert process.closed == [SESSION]


async def test_processes_of_one_broker_hear_at_once(database: Database) -> None:
    broker = MemoryBroker(keep=1)
    one, other = Process(database, broker), Process(database, broker)
    await one.revoke()
    assert one.closed == other.closed == [SESSION]


async def test_a_process_without_the_broker_reads_the_table(database: Database) -> None:
    one, other = (Process(database, MemoryBroker(keep=1)) for _ in range(2))
    async with watching(other):
        await one.revoke()
        async with asyncio.timeout(2):
            await other.noticed.wait()
    assert other.closed == [SESSION]


async def test_what_was_heard_is_not_closed_again(database: Database) -> None:
    process = Process(database, MemoryBroker(keep=1))
    await process.revoke()
    process.noticed.clear()
    async with watching(process):
        await Process(database, MemoryBroker(keep=1)).revoke("f" * 32)
        async with asyncio.timeout(2):
            await process.noticed.wait()
    assert process.closed == [SESSION, "f" * 32]


async def test_a_broker_that_is_away_stops_no_logout(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(name: str, payload: bytes) -> None:
        raise Unavailable("the broker is away")

    broker = MemoryBroker(keep=1)
    monkeypatch.setattr(broker, "announce", away)
    process = Process(database, broker)
    await process.revoke()
    assert process.closed == [SESSION]


async def test_the_watch_outlives_the_database(database: Database, fresh_url: str) -> None:
    process = Process(database, MemoryBroker(keep=1))
    await database.stop()
    async with watching(process):
        await asyncio.sleep(0)
        await database.start()
        await Process(database, MemoryBroker(keep=1)).revoke()
        async with asyncio.timeout(5):
            await process.noticed.wait()


async def test_other_announcements_are_not_ours(database: Database) -> None:
    broker = MemoryBroker(keep=1)
    process = Process(database, broker)
    await broker.announce("role.changed", SESSION.encode())
    assert process.closed == []


async def test_a_socket_registered_after_the_logout_is_noticed(database: Database) -> None:
    """It was identified before, so nothing else would close it."""
    broker = MemoryBroker(keep=1)
    process, other = Process(database, broker), Process(database, broker)
    who = Identity(wallet="w", session_id=SESSION)
    assert not process.authority.ended(who)
    await other.revoke()
    assert process.authority.ended(who)
    assert not process.authority.ended(Identity(wallet="w"))


async def test_old_rows_are_tidied(database: Database) -> None:
    process = Process(database, MemoryBroker(keep=1))
    now = process.clock.now
    await process.revoked.revoke("past", now - 10)
    await process.challenges.put("w", "n" * 32, now - 4000)
    async with watching(process):
        async with asyncio.timeout(5):
            while await process.challenges.get("w") is not None:
                await process.revoked.news()
    assert not process.revoked.known("past")
    rows = await database.fetchval("SELECT count(*) FROM fastws_revoked_sessions")
    assert rows == 0
