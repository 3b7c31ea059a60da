"""A database that a test gave back is as new, or is not used again."""

from __future__ import annotations

import asyncpg
import pytest

from tests.databases import Databases, database_url


async def state(url: str) -> dict[str, object]:
    """Row counts of all tables, and what a first insert would be numbered."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch(
        "SELECT tablename AS t FROM pg_tables WHERE schemaname='public'"
    )
    found: dict[str, object] = {}
    for (table,) in tables:
        found[table] = await connection.fetchval(f"SELECT count(*) FROM {table}")
    wallet = "INSERT INTO users (wallet_address, nickname) VALUES ('w', 'n') RETURNING id"
    found["next user"] = await connection.fetchval(wallet)
    await connection.close()
    return found


async def test_what_a_test_left_is_gone(databases: Databases, postgres_url: str) -> None:
    name = await databases.borrow()
    url = database_url(postgres_url, name)
    before = await state(url)
    assert before["users"] == 0
    left_open = await asyncpg.connect(url)
    await left_open.execute("BEGIN; LOCK TABLE users")
    await databases.give_back(name)
    assert await databases.borrow() == name
    assert await state(url) == before
    await databases.give_back(name)
    assert left_open.is_closed()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users RENAME TO elsewhere",
        "ALTER TABLE system_settings DISABLE TRIGGER ALL",
        "DROP FUNCTION fastws_notify_keys CASCADE",
        "CREATE TABLE another (id int)",
        "ALTER TABLE users ALTER COLUMN nickname SET DEFAULT 'x'",
    ],
)
async def test_a_changed_catalogue_is_not_lent_again(
    databases: Databases, postgres_url: str, statement: str
) -> None:
    name = await databases.borrow()
    connection = await asyncpg.connect(database_url(postgres_url, name))
    await connection.execute(statement)
    await connection.close()
    await databases.give_back(name)
    other = await databases.borrow()
    assert other != name
    await databases.give_back(other)
