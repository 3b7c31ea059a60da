"""The comparison: workloads, interleaved windows, medians and ratios."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys

from bench.peers.chart import draw
from bench.peers.run import MADE, Contest, program, python
from bench.peers.ticking import TOKENS, rows_of

CLIENTS = 1000
RATE = 20
SIZE = 128
UPDATE = 62
"""Bytes of a message about one token."""
FASTWS_PATH = "/api/v69/ws"


def node_ws() -> dict[str, str] | None:
    """Where node finds `ws`, fetched by npm at the first time; None without node."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    MADE.mkdir(parents=True, exist_ok=True)
    if not (MADE / "node_modules" / "ws").is_dir():
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "ws@8"]
        if subprocess.run(command, cwd=MADE, check=False).returncode:
            return None
    return {"WS_FOLDER": str(MADE)}


def broadcast() -> list[Contest]:
    """Workload 1: one message of 128 bytes to 1,000 clients."""
    work = ("same", RATE, SIZE, 0, 1)
    bare = [program("bare"), str(CLIENTS), "same", str(RATE), str(SIZE), "1"]
    said = ['{"type":"subscribe","channel":"test"}'] * CLIENTS
    made = [
        Contest("bare send loop", bare, CLIENTS, "same"),
        Contest(
            "fastws",
            python("with_fastws", *work),
            CLIENTS,
            "same",
            path=f"{FASTWS_PATH}/test",
            messages=said,
        ),
        Contest("picows", python("with_picows", *work), CLIENTS, "same"),
        Contest("uWebSockets", python("with_uwebsockets", *work), CLIENTS, "same"),
        Contest("aiohttp", python("with_aiohttp", *work), CLIENTS, "same"),
        Contest("websockets", python("with_websockets", *work), CLIENTS, "same"),
    ]
    environment = node_ws()
    if environment is not None:
        script = str(MADE.parents[1] / "bench" / "peers" / "ws.mjs")
        command = ["node", script, *map(str, work)]
        made.append(Contest("node ws", command, CLIENTS, "same", environment=environment))
    return made


def tokens(rows: int, every: int, clients: int = CLIENTS) -> list[Contest]:
    """Workload 2: ``rows`` of 2,000 tokens a client, one in ``every`` of them changes."""
    updates = rows // every
    # A frame a client and tick, or one an update: what each kind can do in time.
    work = ("rows", 10, UPDATE, rows, every)
    many = ("rows", 1 if updates > 100 else 2, UPDATE, rows, every)
    # As long as a gathered frame of fastws is here: its head, and three bytes a changed row.
    gathered = [program("bare"), str(clients), "same", "10", str(6 + 3 * updates), "1"]
    single = [program("bare"), str(clients), "rows", str(many[1]), str(UPDATE), str(updates)]
    said = [
        json.dumps(
            {
                "type": "subscribe",
                "channel": "public.tokens",
                "format": "binary",
                "rows": [f"Bench{token:039d}" for token in rows_of(client, rows)],
            }
        )
        for client in range(clients)
    ]
    return [
        Contest("bare send, one frame", gathered, clients, "same"),
        Contest(
            "fastws",
            python("with_fastws", *work),
            clients,
            "table",
            path=f"{FASTWS_PATH}/token-data?automatic=false",
            messages=said,
        ),
        Contest(
            "uWebSockets, topic a token",
            python("with_uwebsockets", *work),
            clients,
            "rows",
            per_tick=updates,
        ),
        Contest("bare send an update", single, clients, "rows", per_tick=updates),
        Contest(
            "picows, send an update",
            python("with_picows", *many),
            clients,
            "rows",
            per_tick=updates,
        ),
    ]


def compare(title: str, made: list[Contest], pairs: int, seconds: float) -> dict[str, float]:
    """Windows of all in turn, there and back; prints a table, returns medians by name."""
    with contextlib.ExitStack() as stack:
        running = []
        for contest in made:
            try:
                running.append(stack.enter_context(contest))
            except (RuntimeError, OSError) as error:
                print(f"   {contest.name}: left out, {error}", flush=True)
        for contest in running:
            contest.work(seconds, keep=False)
        order = list(running)
        for _ in range(pairs):
            for contest in order:
                contest.work(seconds)
            order.reverse()
    return table(title, running)


def table(title: str, running: list[Contest]) -> dict[str, float]:
    """Medians of CPU for a client and tick; ratios are medians of the ratios of the pairs."""
    print(f"\n### {title}\n")
    print("| server | µs a client and tick | of the first | frames | faults | idle, % of a core |")
    print("|---|---|---|---|---|---|")
    found = {}
    first = running[0]
    for contest in running:
        usual = statistics.median(window.per_delivery for window in contest.windows)
        pairs = zip(contest.windows, first.windows, strict=True)
        ratio = statistics.median(
            mine.per_delivery / other.per_delivery for mine, other in pairs if other.ticks
        )
        frames = sum(window.told["frames"] for window in contest.windows)
        if not frames:
            print(f"| {contest.name} | no frames came | | 0 | | |")
            continue
        faults = sum(window.faults for window in contest.windows)
        row = f"| {contest.name} | {usual:.2f} | {ratio:.2f} | {frames:,} | {faults} |"
        print(f"{row} {contest.idle * 100:.1f} |", flush=True)
        found[contest.name] = usual
    return found


def run() -> None:
    """All workloads; ``--quick`` is a look, ``--only=NAME`` one of them."""
    quick = "--quick" in sys.argv
    pairs, seconds = (2, 0.5) if quick else (10, 0.7)
    print(f"{os.cpu_count()} cores, {CLIENTS:,} clients, {pairs} windows of {seconds} s each")
    wanted = next((arg[7:] for arg in sys.argv if arg.startswith("--only=")), "")
    loads = {
        "broadcast": ("One message of 128 bytes to 1,000 clients", broadcast, ()),
        "50": (f"50 of {TOKENS:,} tokens a client, all change", tokens, (50, 1)),
        "50-some": (f"50 of {TOKENS:,} tokens a client, 20 % change", tokens, (50, 5)),
        "200": (f"200 of {TOKENS:,} tokens a client, all change", tokens, (200, 1)),
    }
    drawn = {}
    for name, (title, make, fields) in loads.items():
        if wanted in ("", name):
            longer = 1 if name == "broadcast" else 2  # fewer ticks a second
            drawn[title] = compare(title, make(*fields), pairs, longer * seconds)
    if not quick and not wanted:
        draw(drawn)
