"""A server as a process: its signals, its end, and what it says when it cannot begin."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from bench.process import ServerProcess
from fastws.errors import ConfigError, StartError
from fastws.server import process
from tests.identity.desk import Lines
from tests.identity.forge import SECRET
from tests.server.conftest import PATIENCE, configured, ended, until

# ── the life, with a server that does as it is told ─────────────────────────────────────


class Obedient:
    """Looks like a server; starts and drains when it is let."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_start, self.may_drain = asyncio.Event(), asyncio.Event()
        self.fails: Exception | None = None
        self.url, self.ops_port = "http://127.0.0.1:1", None

    async def start(self) -> None:
        self.begun.append("start")
        if self.fails is not None:
            raise self.fails
        await self.may_start.wait()

    async def drain(self) -> None:
        self.begun.append("drain")
        await self.may_drain.wait()

    async def stop(self) -> None:
        self.begun.append("stop")


class Life:
    def __init__(self) -> None:
        self.server = Obedient()
        self.said: list[str] = []
        server: Any = self.server
        self.task = asyncio.create_task(process._live(server, False, self.said.append))

    async def reaches(self, step: str) -> None:
        await until(lambda: self.server.begun[-1:] == [step])

    async def end(self) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.server.begun


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def harmless() -> Iterator[None]:
    """A signal that nobody takes must not end the test run."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", process.ENDING)
async def test_a_signal_drains_and_stops(number: signal.Signals) -> None:
    life = Life()
    life.server.may_start.set()
    await until(lambda: life.said)
    send(number)
    await life.reaches("drain")
    life.server.may_drain.set()
    assert await life.end() == ["start", "drain", "stop"]
    assert life.said == ["fastws serves http://127.0.0.1:1/"]


async def test_a_second_signal_stops_at_once() -> None:
    life = Life()
    life.server.may_start.set()
    await until(lambda: life.said)
    send(signal.SIGTERM)
    await life.reaches("drain")
    send(signal.SIGINT)
    assert await life.end() == ["start", "drain", "stop"], "the drain was not waited for"


async def test_a_signal_during_the_start_ends_it() -> None:
    life = Life()
    await life.reaches("start")
    send(signal.SIGTERM)
    await life.reaches("drain")
    life.server.may_drain.set()
    assert await life.end() == ["start", "drain", "stop"]
    assert not life.said


async def test_a_start_that_fails_is_stopped_and_says_why() -> None:
    life = Life()
    life.server.fails = StartError("It cannot be.")
    with pytest.raises(StartError, match=r"It cannot be\."):
        await life.task
    assert life.server.begun == ["start", "stop"]


async def test_a_hang_up_without_a_terminal_is_ignored_and_logged(lines: Lines) -> None:
    life = Life()
    life.server.may_start.set()
    await until(lambda: life.said)
    send(signal.SIGHUP)
    await until(lambda: lines.of("server.hangup_ignored"))
    assert life.server.begun == ["start"]
    send(signal.SIGTERM)
    life.server.may_drain.set()
    await life.end()


async def test_a_terminal_that_is_closed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(process.sys, "stdin", Terminal())
    life = Life()
    life.server.may_start.set()
    await until(lambda: life.said)
    send(signal.SIGHUP)
    life.server.may_drain.set()
    assert await life.end() == ["start", "drain", "stop"]


async def test_under_nohup_a_hang_up_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    life = Life()
    life.server.may_start.set()
    await until(lambda: life.said)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    send(signal.SIGTERM)
    life.server.may_drain.set()
    await life.end()


def test_the_demo_is_not_for_production() -> None:
    config = configured(environment="production", auth={"jwt_secret": SECRET})
    with pytest.raises(ConfigError, match="development"):
        process.serve(config, demo=True)


# ── whole processes ─────────────────────────────────────────────────────────────────────


async def test_a_sigterm_lets_clients_go_and_takes_the_database_along() -> None:
    with ServerProcess("--demo", MARKET_TOKENS="20") as server:
        database = os.pidfd_open(server.database_pid)
        place = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data"
        clients = [await websockets.connect(place) for _ in range(5)]
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            for ws in clients:
                types: Counter[str] = Counter()
                with contextlib.suppress(websockets.ConnectionClosedError):
                    async for text in ws:
                        types[json.loads(text)["type"]] += 1
                assert types["drain"] == 1
                assert ws.close_code == 1012
        assert server.process.wait(PATIENCE) == 0
        assert ended(database)
        assert "Traceback" not in server.log()


def test_after_a_kill_nothing_is_left_and_the_folder_serves_again() -> None:
    with ServerProcess("--demo", MARKET_TOKENS="20") as server:
        database = os.pidfd_open(server.database_pid)
        token = server.token("CanaryWa11et1111111111111111111111111111111")
        server.process.kill()
        server.process.wait(PATIENCE)
        assert ended(database), "the database goes with its parent"
        assert server.process.stdout is not None
        server.process.stdout.close()
        server._errors.close()
        server.__enter__()
        assert server.token("CanaryWa11et1111111111111111111111111111111") != token


def run(tmp_path: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``fastws`` to its end, in an empty folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FASTWS_")}
    return subprocess.run(
        [sys.executable, "-m", "fastws", *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
    )


def assert_sentence(
    done: subprocess.CompletedProcess[str], code: int, *words: str, logged: bool = False
) -> None:
    """One sentence on stderr (``logged``: after log lines), an exit code and nothing else."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    *before, last = done.stderr.strip().splitlines()
    assert last.startswith("fastws: ")
    assert last.endswith(".")
    for word in words:
        assert word in last
    assert all(logged and line.startswith("{") for line in before)
    assert "Traceback" not in done.stderr


DEVELOPMENT = {"FASTWS_ENVIRONMENT": "development", "FASTWS_SERVER_PORT": "0"}


def test_bad_configuration_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "fastws.toml").write_text("[server]\nprot = 3004\n")
    assert_sentence(run(tmp_path, "serve"), 2, "prot")


def test_a_missing_secret_in_production_is_one_sentence(tmp_path: Path) -> None:
    assert_sentence(run(tmp_path, "serve"), 2, "JWT_SECRET", "32 bytes")


def test_a_weak_secret_is_one_sentence_and_not_repeated(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", JWT_SECRET="geheimnis")
    assert_sentence(done, 2, "JWT_SECRET", "32 bytes")
    assert "geheimnis" not in done.stderr


def test_an_unreachable_database_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"postgresql://u:geheimnis@127.0.0.1:{closed.getsockname()[1]}/x"
        done = run(tmp_path, "serve", **DEVELOPMENT, DATABASE_URL=url)
    assert_sentence(done, 1, "DATABASE_URL", "refused")
    assert "geheimnis" not in done.stderr


def test_an_unwritable_data_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "data")
    done = run(tmp_path, "serve", **DEVELOPMENT, FASTWS_DATA_DIR=folder)
    assert_sentence(done, 1, folder)
    done = run(tmp_path, "serve", FASTWS_DATA_DIR=folder, JWT_SECRET=SECRET)
    assert_sentence(done, 1, folder, logged=True)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "No such file"), ("no certificate", "not a PEM certificate")]
)
def test_a_bad_certificate_is_one_sentence(
    tmp_path: Path, fresh_url: str, text: str | None, says: str
) -> None:
    file = tmp_path / "cert.pem"
    if text is not None:
        file.write_text(text)
    names = dict.fromkeys(("FASTWS_SERVER_SSL_CERTIFICATE", "FASTWS_SERVER_SSL_KEY"), str(file))
    done = run(tmp_path, "serve", **DEVELOPMENT, **names, DATABASE_URL=fresh_url)
    assert_sentence(done, 1, "cert.pem", says, logged=True)


def test_a_taken_port_is_one_sentence(tmp_path: Path, fresh_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        settings = {**DEVELOPMENT, "FASTWS_SERVER_PORT": port, "DATABASE_URL": fresh_url}
        done = run(tmp_path, "serve", **settings)
    assert_sentence(done, 1, port, "taken", logged=True)


def test_a_folder_that_another_server_uses_is_one_sentence(tmp_path: Path) -> None:
    with ServerProcess(MARKET_SOURCE="none") as server:
        folder = str(server.data_dir)
        done = run(tmp_path, "serve", **DEVELOPMENT, FASTWS_DATA_DIR=folder)
    assert_sentence(done, 1, folder, "in use")
