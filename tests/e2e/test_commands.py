"""The command line beside a running server: token, check, console, user, replay."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websockets

from bench.process import ServerProcess
from tests.e2e.conftest import CANARY_WALLET

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "binance_btcusdt_20240809.gz"
EXCERPT = Path(__file__).parents[1] / "sources" / "data" / "combined.txt"
PATIENCE = 60.0
"""Seconds after which a test is stuck, not slow."""


def fastws(server: ServerProcess, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastws", *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**server.environment, "NO_COLOR": "1"},
    )


def test_token_prints_a_token_that_check_accepts(demo: ServerProcess) -> None:
    made = fastws(demo, "token", "--url", demo.url, "--wallet", CANARY_WALLET)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    demo.tokens.append(token)
    assert token.count(".") == 2
    assert made.stdout.count("\n") == 1
    checked = fastws(demo, "check", demo.url, "--token", token)
    assert checked.returncode == 0, checked.stdout
    assert [line[0] for line in checked.stdout.splitlines()] == ["✓"] * 4
    assert CANARY_WALLET in checked.stdout
    assert token not in checked.stdout


def test_check_says_what_to_mend(demo: ServerProcess) -> None:
    without = fastws(demo, "check", demo.url)
    assert without.returncode == 1
    assert "--token" in without.stdout
    foreign = fastws(demo, "token", "--offline", "--wallet", CANARY_WALLET)
    demo.tokens.append(foreign.stdout.strip())
    signature = foreign.stdout.strip()[:-4] + "AAAA"
    refused = fastws(demo, "check", demo.url, "--token", signature)
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[-1].startswith("✗ token accepted")


def test_a_token_signed_beside_the_server_is_accepted_for_a_user_it_knows(
    demo: ServerProcess,
) -> None:
    demo.token(CANARY_WALLET)  # logs in, so that the user exists
    made = fastws(demo, "token", "--offline", "--wallet", CANARY_WALLET).stdout.strip()
    demo.tokens.append(made)
    assert fastws(demo, "check", demo.url, "--token", made).returncode == 0


@pytest.mark.parametrize(
    "endpoint", ["monitor", "token-data", "contest", "skyduel", "settings", "test"]
)
def test_the_console_tries_every_endpoint(demo: ServerProcess, endpoint: str) -> None:
    done = fastws(demo, "console", endpoint, "--test", "--port", str(demo.port))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5/5" in done.stdout


def test_the_console_knows_the_short_name_of_circuit_breaker(demo: ServerProcess) -> None:
    done = fastws(demo, "console", "circuit", "--test", "--port", str(demo.port))
    assert f":{demo.port}/api/v69/ws/circuit-breaker" in done.stdout


def test_a_user_becomes_admin_while_the_server_runs(demo: ServerProcess) -> None:
    wallet = "Newadm1nNewadm1nNewadm1nNewadm1nNewadm1nNew"
    done = fastws(demo, "user", wallet, "--role", "admin")
    assert done.returncode == 0, done.stderr
    checked = fastws(demo, "check", demo.url, "--token", demo.token(wallet))
    assert f"{wallet} (admin)" in checked.stdout


def test_the_demo_invites(demo: ServerProcess) -> None:
    """The fixture has read the first line; the rest says how to get in."""
    assert demo.process.stdout is not None
    lines = []
    while not (lines and lines[-1].startswith("try it")):
        lines.append(demo.process.stdout.readline())
        assert lines[-1], "it ended"
    text = "".join(lines)
    assert f"fastws console monitor --port {demo.port}" in text
    tokens = re.findall(r"\beyJ\S+", text)
    demo.tokens.extend(tokens)
    users = [fastws(demo, "check", demo.url, "--token", token).stdout for token in tokens]
    assert [user.count("✓") for user in users] == [4, 4]
    assert "(user)" in users[0]
    assert "(admin)" in users[1]


# ── replay ──────────────────────────────────────────────────────────────────────────────


def recorded(file: Path, kind: str, field: str) -> list[Decimal]:
    found = []
    with gzip.open(file) as lines:
        for line in lines:
            message = json.loads(line.partition(b" ")[2])
            if message.get("stream", "").endswith(f"@{kind}"):
                found.append(Decimal(message["data"][field]))
    return found


async def prices_until(server: ServerProcess, last: Decimal) -> list[Decimal]:
    """Every price of BTCUSDT a client is told, until it is ``last``; digits as on the wire."""
    seen: list[Decimal] = []
    place = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data"
    async with asyncio.timeout(PATIENCE), websockets.connect(place) as ws:
        await ws.send(json.dumps({"type": "subscribe_tokens", "symbols": ["BTCUSDT"]}))
        async for text in ws:
            frame: Any = json.loads(text, parse_float=Decimal, parse_int=Decimal)
            data = frame.get("data") if frame["type"] in ("token_update", "token_data") else []
            tokens = data if isinstance(data, list) else [data]
            seen += [token["price"] for token in tokens if token["symbol"] == "BTCUSDT"]
            if seen and seen[-1] == last:
                return seen
    raise AssertionError(f"closed after {seen}")


def assert_in_order(seen: list[Decimal], told: list[Decimal]) -> None:
    """Every price seen is one of the file's, digit by digit, and none came before its time."""
    rest = iter(told)
    changes = [price for at, price in enumerate(seen) if at == 0 or price != seen[at - 1]]
    for price in changes:
        assert price in rest, price


async def test_replay_gives_the_recorded_prices_decimal_for_decimal() -> None:
    if not RECORDING.exists():
        pytest.skip("the recording is not here")
    told = recorded(RECORDING, "trade", "p")
    bids = set(recorded(RECORDING, "bookTicker", "b"))
    with ServerProcess(str(RECORDING), "--speed", "60", command="replay") as server:
        seen = await prices_until(server, told[-1])
    assert len(set(seen)) > 2
    while seen[0] not in told:  # the book shows a price before the first trade does
        assert seen.pop(0) in bids
    assert_in_order(seen, told)
    assert seen[-1] == told[-1]


async def test_replay_of_a_recording_ends_with_its_prices() -> None:
    """Every symbol of the excerpt, with the digits of its file on the wire."""
    last = {"BTCUSDT": "61685.5", "SHIBUSDT": "0.000013", "ETHUSDT": "2626"}
    text = EXCERPT.read_text()
    assert all(f'"{price}' in text for price in last.values()), "as the file has them"
    wanted = {symbol: Decimal(price) for symbol, price in last.items()}
    with ServerProcess(str(EXCERPT), "--speed", "0", command="replay") as server:
        place = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data"
        seen: dict[str, Decimal] = {}
        async with asyncio.timeout(PATIENCE), websockets.connect(place) as ws:
            while seen != wanted:
                await ws.send('{"type":"get_all_tokens"}')
                frame = json.loads(await ws.recv(), parse_float=Decimal, parse_int=Decimal)
                if frame["type"] == "token_update":
                    seen = {token["symbol"]: token["price"] for token in frame["data"]}


async def test_replay_of_a_file_of_our_own(tmp_path: Path) -> None:
    told = ["61394.36000000", "61394.37000000", "0.00000001", "9999999.12345678"]
    lines = []
    for number, price in enumerate(told):
        trade = {"e": "trade", "s": "BTCUSDT", "t": 7 + number, "p": price, "q": "1", "m": False}
        message = json.dumps({"stream": "btcusdt@trade", "data": trade})
        lines.append(f"{1_000_000_000 * number} {message}\n")
    file = tmp_path / "recording.gz"
    file.write_bytes(gzip.compress("".join(lines).encode()))
    with ServerProcess(str(file), "--speed", "0", command="replay") as server:
        seen = await prices_until(server, Decimal(told[-1]))
    assert_in_order(seen, [Decimal(price) for price in told])
