"""The whole vertical as its users meet it: console, a second client library, a browser."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
import websockets

from bench.process import ServerProcess
from tests.e2e.conftest import CANARY_WALLET


def socket_url(server: ServerProcess, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}/api/v69/ws/{path}"


async def frames_until(ws: websockets.ClientConnection, type_: str) -> list[dict[str, Any]]:
    frames = []
    async with asyncio.timeout(20):
        async for text in ws:
            frames.append(json.loads(text))
            if frames[-1]["type"] == type_:
                return frames
    raise AssertionError(f"closed before {type_}: {frames}")


def test_the_console_suite_passes(demo: ServerProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastws", "console", "monitor", "--test", "--port", str(demo.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**demo.environment, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5/5" in done.stdout


async def test_an_anonymous_client_gets_the_market_in_the_documented_order(
    demo: ServerProcess,
) -> None:
    async with websockets.connect(socket_url(demo, "token-data"), max_size=2**20) as ws:
        frames = await frames_until(ws, "connection_established")
        assert [frame["type"] for frame in frames] == [
            "subscription_confirmed",
            "subscription_confirmed",
            "token_update",
            "connection_established",
        ]
        assert frames[-1]["authenticated"] is False
        tokens = frames[2]["data"]
        assert len(tokens) >= 2000
        assert {"symbol", "name", "price", "address", "decimals"} <= set(tokens[0])


async def test_prices_move(demo: ServerProcess) -> None:
    async with websockets.connect(socket_url(demo, "token-data"), max_size=2**20) as ws:
        frames = await frames_until(ws, "connection_established")
        busiest = sorted(frames[2]["data"], key=lambda token: -token["volume_24h"])[:50]
        symbols = [token["address"] for token in busiest]
        await ws.send(json.dumps({"type": "subscribe_tokens", "symbols": symbols}))
        seen: dict[str, set[float]] = {}
        async with asyncio.timeout(20):
            while not any(len(prices) > 2 for prices in seen.values()):
                frame = json.loads(await ws.recv())
                if frame["type"] == "token_data":
                    seen.setdefault(frame["data"]["address"], set()).add(frame["data"]["price"])


@pytest.mark.parametrize("how", ["header", "subprotocol", "query"])
async def test_a_token_opens_the_monitor(demo: ServerProcess, how: str) -> None:
    token = demo.token(CANARY_WALLET)
    url, options = socket_url(demo, "monitor"), {}
    if how == "header":
        options["additional_headers"] = {"Authorization": f"Bearer {token}"}
    elif how == "subprotocol":
        options["subprotocols"] = [token, "v69"]
    else:
        url += f"?token={token}"
    async with websockets.connect(url, **options) as ws:
        frames = await frames_until(ws, "connection_established")
        assert frames[0]["type"] == "welcome"
        assert frames[-1]["user"] == {"wallet_address": CANARY_WALLET, "role": "user"}
        assert ws.subprotocol == ("v69" if how == "subprotocol" else None)
        await ws.send(json.dumps({"type": "get_system_status", "id": 7}))
        both = await frames_until(ws, "system_status")
        assert both[-1]["data"]["status"] == "online"
        assert both[-1]["id"] == 7


async def test_without_a_token_the_monitor_says_4001(demo: ServerProcess) -> None:
    async with websockets.connect(socket_url(demo, "monitor")) as ws:
        error = json.loads(await ws.recv())
        assert (error["type"], error["code"]) == ("error", "UNAUTHORIZED")
        with pytest.raises(websockets.ConnectionClosed):
            await ws.recv()
        assert (ws.close_code, ws.close_reason) == (4001, "Authentication required")


def test_the_operations_pages_answer(demo: ServerProcess) -> None:
    for path, expected in [("/livez", "ok"), ("/readyz", "ok"), ("/metrics", "fastws_connections")]:
        with urllib.request.urlopen(demo.url + path) as answer:
            assert expected in answer.read().decode()
