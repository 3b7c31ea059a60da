"""The command line: what it prints, where, and how it ends. Servers are in ``tests/e2e``."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from click.testing import CliRunner, Result

from fastws import console
from fastws.cli import main
from fastws.config import AuthConfig, describe
from fastws.identity import Tokens
from tests.identity.forge import SECRET

WALLET = "CanaryWa11et1111111111111111111111111111111"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, no settings of the outside, and the logs as they were afterwards."""
    monkeypatch.chdir(tmp_path)
    for setting in describe():
        monkeypatch.delenv(setting.env, raising=False)
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield tmp_path
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def run(*args: str, **environment: str) -> Result:
    return CliRunner().invoke(main, args, env=environment)


def sentence(result: Result, code: int) -> str:
    """The one sentence on stderr of a command that failed as it should."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit), "no traceback"
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("fastws: ")
    assert line.endswith(".")
    return line


def test_the_commands() -> None:
    text = run("--help").stdout
    for name in ("serve", "token", "console", "replay", "config", "check", "user"):
        assert f"  {name} " in text
        assert run(name, "--help").exit_code == 0


def test_its_version() -> None:
    assert run("--version").stdout.startswith("fastws, version ")


# ── config ──────────────────────────────────────────────────────────────────────────────


def test_config_lists_every_setting_with_its_environment_name_and_sentence() -> None:
    result = run("config", JWT_SECRET=SECRET)
    assert result.exit_code == 0
    for setting in describe():
        assert f" {setting.env} = " in result.stdout
        assert f"{'.'.join(setting.path)}, " in result.stdout
        assert setting.doc in result.stdout


def test_config_shows_what_is_set_but_no_secret() -> None:
    secrets = {
        "JWT_SECRET": SECRET,
        "DATABASE_URL": "postgresql://u:geheimnis@db/x",
        "FASTWS_AUTH_SERVICE_KEYS": "a service key of thirty-two bytes or more",
        "FASTWS_SERVER_PORT": "4000",
    }
    lines = run("config", **secrets).stdout.splitlines()
    assert "* FASTWS_SERVER_PORT = 4000" in lines
    assert '  FASTWS_SERVER_HOST = "127.0.0.1"' in lines
    assert "* JWT_SECRET = (set, not shown)" in lines
    text = "\n".join(lines)
    for hidden in (SECRET, "geheimnis", "a service key"):
        assert hidden not in text


def test_config_lists_even_what_does_not_fit_and_says_so() -> None:
    result = run("config")
    assert "FASTWS_SERVER_PORT = 3004" in result.stdout
    assert "JWT_SECRET is not set" in result.stderr
    assert result.exit_code == 2


def test_config_check_says_one_sentence() -> None:
    good = run("config", "--check", JWT_SECRET=SECRET)
    assert (good.exit_code, good.stdout) == (0, "The configuration is right.\n")
    assert "JWT_SECRET is not set" in sentence(run("config", "--check"), 2)


WRONG = {
    "not toml": "server = ",
    "an unknown section": "[sever]\nport = 1",
    "an unknown key": "[server]\nprot = 1",
    "a wrong type": '[server]\nport = "many"',
    "an impossible port": "[server]\nport = 70000",
    "half a certificate": '[server]\nssl_key = "key.pem"',
    "an origin with a path": '[auth]\norigins = ["https://x.example/app"]',
    "a short service key": '[auth]\nservice_keys = ["short"]',
    "a weak secret": '[auth]\njwt_secret = "short"',
    "a back door in production": '[auth]\ndev_login_secret = "x"',
    "an unknown feed": '[market]\nsource = "oracle"',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("command", ["serve", "config --check"])
def test_a_wrong_file_is_one_sentence(folder: Path, text: str, command: str) -> None:
    (folder / "fastws.toml").write_text(text)
    environment = {} if "jwt_secret" in text else {"JWT_SECRET": SECRET}
    sentence(run(*command.split(), **environment), 2)


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    assert "mine.toml" in sentence(run("serve", "--config", "mine.toml"), 2)


def test_a_misspelled_variable_is_one_sentence() -> None:
    text = sentence(run("serve", FASTWS_SERVER_PROT="1", JWT_SECRET=SECRET), 2)
    assert "FASTWS_SERVER_PROT" in text


def test_the_demo_is_refused_in_production() -> None:
    result = run("serve", "--demo", FASTWS_ENVIRONMENT="production", JWT_SECRET=SECRET)
    assert "development" in sentence(result, 2)


# ── token ───────────────────────────────────────────────────────────────────────────────


def test_a_token_made_here_is_all_it_prints() -> None:
    result = run("token", "--offline", "--wallet", WALLET, JWT_SECRET=SECRET)
    assert result.exit_code == 0
    assert result.stderr == ""
    (token,) = result.stdout.splitlines()
    claims = Tokens(AuthConfig(jwt_secret=SECRET), time.time).verify_socket(token)
    assert claims.wallet == WALLET


def test_without_a_wallet_the_token_is_that_of_the_console() -> None:
    (token,) = run("token", "--offline", JWT_SECRET=SECRET).stdout.splitlines()
    claims = Tokens(AuthConfig(jwt_secret=SECRET), time.time).verify_socket(token)
    assert claims.wallet == console.WALLET


def test_a_token_is_made_with_the_secret_the_server_keeps(folder: Path) -> None:
    first = run("token", "--offline", "--wallet", WALLET)
    assert first.exit_code == 0
    assert (folder / ".fastws" / "jwt_secret").stat().st_mode & 0o777 == 0o600


def test_without_a_development_server_there_is_no_token(folder: Path) -> None:
    assert "dev_secret" in sentence(run("token"), 1)
    (folder / ".fastws").mkdir()
    (folder / ".fastws" / "dev_secret").write_text("x" * 64)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        place = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert "does not answer" in sentence(run("token", "--url", place), 1)


# ── the rest ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["check", "token --url"])
def test_what_is_no_address_is_one_sentence(folder: Path, command: str) -> None:
    (folder / ".fastws").mkdir()
    (folder / ".fastws" / "dev_secret").write_text("x" * 64)
    assert "ftp://x" in sentence(run(*command.split(), "ftp://x"), 1)


def test_a_recording_that_is_not_there_is_one_sentence(fresh_url: str) -> None:
    text = sentence(run("replay", "nothing.gz", DATABASE_URL=fresh_url), 1)
    assert "nothing.gz" in text


@pytest.mark.parametrize("wallet", ["a b", "", "x" * 65, "ä", "a;b"])
def test_a_wallet_that_is_none_gets_no_role(wallet: str) -> None:
    assert "wallet" in sentence(run("user", wallet, "--role", "admin"), 1)


async def _rows(url: str, question: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(question)
    finally:
        await connection.close()


def test_a_user_gets_a_role_and_it_is_written_down(fresh_url: str) -> None:
    for role in ("admin", "user"):
        result = run("user", WALLET, "--role", role, DATABASE_URL=fresh_url)
        assert result.exit_code == 0
        assert result.stdout == f"{WALLET} is {role} now\n"
    (user,) = asyncio.run(_rows(fresh_url, "SELECT wallet_address, role::text FROM users"))
    assert tuple(user) == (WALLET, "user")
    found = asyncio.run(
        _rows(fresh_url, "SELECT action, details::text FROM admin_logs ORDER BY id")
    )
    assert [row["action"] for row in found] == ["set_role", "set_role"]
    assert WALLET in found[0]["details"]


def test_an_unknown_role_is_refused() -> None:
    result = run("user", WALLET, "--role", "king")
    assert result.exit_code == 2
    assert "king" in result.stderr


def test_a_database_that_is_away_is_one_sentence_for_user_too() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://u@127.0.0.1:{closed.getsockname()[1]}/x"
        assert "refused" in sentence(run("user", WALLET, "--role", "admin", DATABASE_URL=url), 1)
