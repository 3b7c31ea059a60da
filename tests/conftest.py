"""Fixtures of the whole suite: uvloop, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import asyncpg
import pytest
import uvloop

from fastws.config import DatabaseConfig
from fastws.store.embedded import EmbeddedPostgres
from fastws.store.migrate import migrate
from fastws.store.pool import Database

_numbers = count(1)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> object:
    """Tests run on the loop the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for the session, its database ``template`` migrated."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("pg"))
    url = server.start()

    async def prepare() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE DATABASE template")
        await connection.close()
        database = Database(database_url(url, "template"), DatabaseConfig())
        await database.start()
        await migrate(database)
        await database.stop()

    asyncio.run(prepare())
    yield url
    server.stop()


def database_url(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
async def fresh_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own."""
    name = f"test{next(_numbers)}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    yield database_url(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def database(fresh_url: str) -> AsyncIterator[Database]:
    """A started `Database` over a migrated database of the test's own."""
    made = Database(fresh_url, DatabaseConfig())
    await made.start()
    yield made
    await made.stop()
