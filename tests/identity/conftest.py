"""Fixtures of the identity tests."""

from __future__ import annotations

import pytest

from fastws.store.pool import Database
from tests.identity.desk import Desk


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)
