"""The canary sees what is written wherever it is written, and tells a token from an id."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from bench.process import ServerProcess
from fastws import logs
from fastws.config import AuthConfig, LogConfig
from fastws.identity import Tokens
from tests.canary import Canary
from tests.identity import forge

log = structlog.get_logger()


@pytest.fixture
def token() -> str:
    auth = AuthConfig(jwt_secret=forge.SECRET)
    return Tokens(auth, lambda: forge.NOW).mint_socket(forge.WALLET, "user", forge.SESSION)


@pytest.fixture
def configured() -> Iterator[io.StringIO]:
    """Logs as a server writes them."""
    before = structlog.get_config()
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    logs.configure(LogConfig(level="debug", format="json"), stream)
    yield stream
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_every_token_that_is_minted_is_known(canary: Canary, token: str) -> None:
    assert token.rpartition(".")[2] in canary.signatures
    assert forge.token().rpartition(".")[2] in canary.signatures


def test_a_token_in_a_line_is_seen_and_so_is_its_signature(canary: Canary, token: str) -> None:
    signature = token.rpartition(".")[2]
    for written in (token, signature, f"?token={token}&x=1", {"deep": ["in", signature]}):
        with canary.expecting() as leaks:
            log.info("test.leak", written=written)
        assert len(leaks) == 1
        assert "test_a_token_in_a_line" in leaks[0], "and says whose it is"


def test_a_token_minted_elsewhere_is_seen_too(canary: Canary) -> None:
    stranger = f"{forge.segment({'alg': 'HS256'})}.{forge.segment({'a': 1})}.{'x' * 43}"
    with canary.expecting() as leaks:
        log.info("test.leak", written=stranger)
    assert len(leaks) == 1


def test_the_record_of_a_library_is_seen(canary: Canary, token: str) -> None:
    with canary.expecting() as leaks:
        logging.getLogger("library").debug("GET /?token=%s", token)
        logging.getLogger("library").warning("GET /?token=%s", token)
    assert len(leaks) == 1, "the one that is made at that level"


def test_the_log_of_a_server_is_seen(canary: Canary, token: str) -> None:
    class Said(ServerProcess):
        """A server that is not started and has said something."""

        def log(self) -> str:
            return f"one line\nGET /?token={token}\n"

    server = Said(PROFILE="none of that name")
    with pytest.raises(RuntimeError, match="did not start"):
        server.__enter__()
    server.process.communicate()
    server._errors.close()
    with canary.expecting() as leaks:
        server._folder.cleanup()
    assert len(leaks) == 1
    assert not server.data_dir.parent.exists()


def test_ids_wallets_and_redacted_lines_are_no_leak(
    canary: Canary, configured: io.StringIO, token: str
) -> None:
    lines = canary.lines
    with canary.expecting() as leaks:
        log.info("test.fine", wallet=forge.WALLET, session=forge.SESSION, digest="a" * 64)
        log.info("test.redacted", url=f"/?token={token}", header=f"Bearer {token}")
    assert leaks == []
    assert canary.lines == lines + 2
    assert len(configured.getvalue().splitlines()) == 2
