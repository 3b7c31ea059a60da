"""Fixtures of the whole suite: uvloop, a real PostgreSQL, and the canary in all logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import structlog
import uvloop

from fastws.config import DatabaseConfig
from fastws.store.embedded import EmbeddedPostgres
from fastws.store.pool import Database
from tests.canary import Canary, watching
from tests.databases import Databases, database_url
from tests.identity.desk import Lines

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> object:
    """Tests run on the loop the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def canary() -> Iterator[Canary]:
    """Sees every token and every log line of the suite; a token in a line fails it."""
    made = Canary()
    with watching(made):
        yield made
    assert not made.leaks, "tokens in log lines"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for the session."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("pg"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Databases:
    """Its migrated databases."""
    made = Databases(postgres_url)
    asyncio.run(made.prepare())
    return made


@pytest.fixture
async def fresh_url(postgres_url: str, databases: Databases) -> AsyncIterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    name = await databases.borrow()
    yield database_url(postgres_url, name)
    await databases.give_back(name)


@pytest.fixture
async def database(fresh_url: str) -> AsyncIterator[Database]:
    """A started `Database` over a migrated database of the test's own."""
    made = Database(fresh_url, DatabaseConfig())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, before anything redacts it."""
    made = Lines()
    before = structlog.get_config()
    structlog.configure(processors=[made.captured], cache_logger_on_first_use=False)
    yield made
    structlog.configure(**before)
