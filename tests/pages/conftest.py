"""Fixtures of the pages' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fastws.store.pool import Database
from tests.pages.site import Site, served


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with served(Site(database)) as made:
        yield made
