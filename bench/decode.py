"""Decoding in JavaScript: frames of 400 changed rows, binary against columnar JSON.

python -m bench decode
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.test_table import Market
from fastws._core.follower import Follower
from fastws._core.view import View

TICKS = 200


def run() -> None:
    node = shutil.which("node")
    if node is None:
        print("no node on this machine")
        return
    market = Market(0.001)
    view = View(market.table)
    follower = Follower(view, 1, "tokens")
    frames = []
    while (frame := follower.flush(0.0)) is not None:
        frames.append(frame.hex())
    pages, columnar = len(frames), []
    for _ in range(TICKS):
        since = market.table.tick
        market.tick()
        frame = follower.flush(0.0)
        assert frame is not None
        frames.append(frame.hex())
        columnar.append(_columns(market, since))
    told = view.describe()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.json"
        path.write_text(
            json.dumps({"told": told, "pages": pages, "frames": frames, "columnar": columnar})
        )
        script = Path(__file__).with_suffix(".mjs")
        subprocess.run([node, str(script), str(path)], check=True)


def _columns(market: Market, since: int) -> dict[str, list[float]]:
    """The rows that changed, as a list for each column: numbers as JSON writes them."""
    table = market.table
    columns: dict[str, list[float]] = {"id": [], "price": [], "change": [], "volume": []}
    numbers = table.rows()
    for key in table.changed(since):
        row = table.get(key)
        assert row is not None
        columns["id"].append(numbers[key])
        for name in ("price", "change", "volume"):
            mantissa, exponent = row[name]
            columns[name].append(float(f"{mantissa}e{exponent}"))
    return columns
