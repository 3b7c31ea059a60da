"""The pool against a real server: time limits, loss, recovery, notifications."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from fastws.config import DatabaseConfig
from fastws.errors import StoreUnavailable
from fastws.store.embedded import EmbeddedPostgres
from fastws.store.pool import Database


async def test_questions_are_answered(database: Database) -> None:
    assert await database.fetchval("SELECT 1 + 1") == 2
    row = await database.fetchrow("SELECT $1::jsonb AS value", {"a": [1, None]})
    assert row is not None
    assert row["value"] == {"a": [1, None]}
    await database.executemany(
        "INSERT INTO system_settings (key, value) VALUES ($1, $2)", [("k", 1)]
    )
    assert [row["key"] for row in await database.fetch("SELECT key FROM system_settings")] == ["k"]


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    sql = "INSERT INTO system_settings (key, value) VALUES ('k', '1')"

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(sql)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await database.fetchval("SELECT count(*) FROM system_settings") == 0


async def test_a_slow_question_is_cut_off(fresh_url: str) -> None:
    database = Database(fresh_url, DatabaseConfig(query_seconds=0.2))
    await database.start()
    try:
        with pytest.raises(StoreUnavailable, match="in time"):
            await database.fetchval("SELECT pg_sleep(30)")
        assert await database.fetchval("SELECT 1") == 1
    finally:
        await database.stop()


async def test_a_question_that_hangs_can_be_cancelled(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    database = Database(server.start(), DatabaseConfig(query_seconds=0.3))
    await database.start()
    try:
        backend = await database.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        question = asyncio.create_task(database.fetchval("SELECT 1"))
        await asyncio.sleep(0)
        question.cancel()
        try:
            with pytest.raises(asyncio.CancelledError):
                await question
        finally:
            os.kill(backend, signal.SIGCONT)
    finally:
        await database.stop()
        server.stop()


async def test_an_error_of_ours_is_not_an_outage(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetch("SELECT * FROM nothing_of_that_name")
    assert database.available


async def test_no_server_is_a_sentence(tmp_path: Path) -> None:
    database = Database(f"postgresql://x@/x?host={tmp_path}", DatabaseConfig(connect_seconds=2))
    with pytest.raises(StoreUnavailable) as caught:
        await database.start()
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreUnavailable):
        await database.fetchval("SELECT 1")


async def test_notifications_are_heard(fresh_url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    database = Database(fresh_url, DatabaseConfig())
    database.listen("fastws_settings", heard.put_nowait)
    await database.start()
    try:
        sql = (
            "INSERT INTO system_settings (key, value)"
            " SELECT 'k' || n, '1' FROM generate_series(1, $1) n"
        )
        await database.execute(sql, 2)
        assert await asyncio.wait_for(heard.get(), 5) == "k1\nk2"
        await database.execute("DELETE FROM system_settings")
        assert sorted((await asyncio.wait_for(heard.get(), 5)).split("\n")) == ["k1", "k2"]
        await database.execute(sql, 5000)
        assert await asyncio.wait_for(heard.get(), 5) == "", "too many keys: read everything"
    finally:
        await database.stop()


async def test_it_goes_away_and_comes_back(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    database = Database(server.start(), DatabaseConfig())
    states: asyncio.Queue[bool] = asyncio.Queue()
    reconciled = asyncio.Event()

    async def reconcile() -> None:
        assert await database.fetchval("SELECT 1") == 1
        reconciled.set()

    database.on_change(states.put_nowait)
    database.listen("news", lambda _: None, reconcile)
    await database.start()
    try:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        assert await asyncio.wait_for(states.get(), 5) is False
        with pytest.raises(StoreUnavailable):
            await database.fetchval("SELECT 1")
        server.stop()
        server.start()
        assert await asyncio.wait_for(states.get(), 15) is True
        await asyncio.wait_for(reconciled.wait(), 5)
        assert await database.fetchval("SELECT 1") == 1
    finally:
        await database.stop()
        server.stop()
