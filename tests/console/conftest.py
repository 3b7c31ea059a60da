"""Fixtures of the console's tests."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from tests.client.server import FakeServer


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as made:
        yield made


class Paper(Console):
    """A console that writes on paper; ``text()`` is what stands there."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=1000, highlight=False, markup=False)

    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


@pytest.fixture
def paper() -> Paper:
    return Paper()
