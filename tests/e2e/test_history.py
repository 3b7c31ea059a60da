"""Candles of a whole server that is killed: what was written is there, in all resolutions alike."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import websockets

from bench.process import ServerProcess
from fastws.store.candles import RESOLUTIONS
from tests.server.conftest import PATIENCE, receive

QUICK = {
    "MARKET_SOURCE": "simulated",
    "MARKET_TOKENS": "20",
    "MARKET_UPDATES_PER_SECOND": "400",
    "CANDLES_WRITE_SECONDS": "0.5",
}


async def history(server: ServerProcess, resolution: str) -> list[list[Any]]:
    place = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data?automatic=false"
    async with websockets.connect(place) as ws:
        asked = {"type": "get_history", "symbol": "SOL", "resolution": resolution, "limit": 1000}
        await ws.send(json.dumps(asked))
        return list((await receive(ws, "history"))["candles"])


async def pass_by(server: ServerProcess, candles: int) -> int:
    """Follow the live candle until so many more have begun; the last one's time."""
    place = f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data?automatic=false"
    async with websockets.connect(place, max_queue=None) as ws:
        await ws.send(json.dumps({"type": "subscribe", "channel": "candles.1s.SOL"}))
        times: set[int] = set()
        while len(times) <= candles:
            times.add((await receive(ws, "candle"))["candle"][0])
        return max(times)


def folded(seconds: list[list[Any]], size: int) -> list[list[Any]]:
    made: dict[int, list[Any]] = {}
    for time, open_, high, low, close, _ in seconds:
        begin = time // size * size
        bar = made.setdefault(begin, [begin, open_, high, low, close])
        bar[2], bar[3], bar[4] = max(bar[2], high), min(bar[3], low), close
    return list(made.values())


async def test_a_kill_loses_what_was_not_written_and_nothing_else(tmp_path: Path) -> None:
    settings = {**QUICK, "DATA_DIR": str(tmp_path / "data")}
    with ServerProcess(**settings) as first:
        await pass_by(first, 5)
        before = await history(first, "1s")
        written = before[-1][0]
        await pass_by(first, 3)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(PATIENCE)
        with ServerProcess(**settings) as second:
            await pass_by(second, 3)
            after = {resolution: await history(second, resolution) for resolution in RESOLUTIONS}
    assert [one for one in after["1s"] if one[0] < written] == before[:-1], "more than 2 s old"
    last = after["1d"][-1]
    for resolution, size in RESOLUTIONS.items():
        told = [one[:5] for one in after[resolution]]
        expected = folded(after["1s"], size)
        assert [one[0] for one in told] == [one[0] for one in expected], resolution
        assert told[:-1] == expected[:-1], resolution  # the last moved between two questions
        assert told[-1][1] == expected[-1][1], resolution
    assert last[2] >= max(one[2] for one in before)
