"""A whole server in a process of its own, started as a user starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.process import ServerProcess

CANARY_WALLET = "CanaryWa11et1111111111111111111111111111111"


@pytest.fixture(scope="session")
def demo() -> Iterator[ServerProcess]:
    """``fastws serve --demo`` for the whole session; its log must not hold a token."""
    with ServerProcess("--demo", PROFILE="", LOG_LEVEL="debug", LOG_FORMAT="json") as server:
        yield server
        log = server.log()
    for token in server.tokens:
        assert token not in log
        assert token.rpartition(".")[2] not in log, "not even its signature"
