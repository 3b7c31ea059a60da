"""Fixtures of the identity tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from fastws.store.pool import Database
from tests.identity.desk import Desk, Lines


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, before anything redacts it."""
    made = Lines()
    before = structlog.get_config()
    structlog.configure(processors=[made.captured], cache_logger_on_first_use=False)
    yield made
    structlog.configure(**before)
