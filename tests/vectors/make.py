"""Make tests/vectors/tables.json: frames, and what a client holds after each.

    python -m tests.vectors.make

The frames come from the compiled rooms, the rows that are held from the table itself. Decoders
in Python and JavaScript run the same file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.frames import Columns, blocks, read, read_json
from fastws.client.tables import TableCopy, cell_hash

FILE = Path(__file__).parent / "tables.json"
KINDS = ("decimal", "int", "enum", "float", "text")
COMMON = (("price",), ("price", "count"))
BIG = 2**53 - 1


def table() -> Table:
    columns = [Column("price", "decimal"), Column("count", "int"), Column("state", "enum")]
    columns += [Column("ratio", "float"), Column("label", "text")]
    return Table("t", columns, 1764036000123, COMMON)


def story(made: Table) -> Any:
    """What happens to a table, a tick at a time; each yield is a seal."""
    made.add("SOL", price=(17120000, -5), count=-3, state=1, ratio=0.5, label="Solana")
    made.add("BONK", price=(21734567, -12), label='ünï "çödé"\n\\ 🐸')
    yield "two rows"
    made.set_row("SOL", {"price": (17120499, -5)})
    yield "a difference of one common set"
    made.set_row("SOL", {"price": (17119999, -5), "count": 300})
    made.set_row("BONK", {"label": "", "price": (21734566, -12)})
    yield "another common set; a mask with a text"
    made.set_row("SOL", {"price": (1711999, -4)})
    yield "another exponent, so absolute"
    made.set_row("SOL", {"price": (BIG, 3), "count": -BIG, "state": BIG, "ratio": -0.0})
    made.set_row("BONK", {"price": (-BIG, -100), "count": BIG, "ratio": 3.4028234663852886e38})
    yield "the largest numbers"
    made.set_row("SOL", {"price": (-BIG, 3)})
    yield "a difference too large for one"
    for number in range(24):
        made.add(f"t{number}", price=(number * 997, -2), label="x" * number)
    yield "births: two-byte gaps come later"
    for number in (1, 2, 3, 21, 23):
        made.remove(f"t{number}")
    made.remove("BONK")
    made.add("BONK", price=(5, 0))
    yield "removals, and a key under a new number"
    for number in (0, 5, 22):
        made.set_row(f"t{number}", {"price": (number * 997 + 1, -2)})
    yield "gaps between rows"
    for number in range(12):
        made.set_row("SOL", {"price": (number, 0)})
        yield f"tick after tick {number}"


def held(copy: TableCopy, made: Table, wanted: list[str] | None) -> dict[str, Any]:
    rows = {
        key: [row, *(made.get(key) or {}).values()]
        for key, row in made.rows().items()
        if wanted is None or key in wanted
    }
    return {
        "rows": rows,
        "tick": copy.tick,
        "epoch": copy.epoch,
        "partial": copy.partial,
        "skipped": copy.skipped,
        "checksum": copy.checksum(),
    }


def case(name: str, json: bool, **options: Any) -> dict[str, Any]:
    made = table()
    view = View(made)
    follower = Follower(view, 300, "public.tokens", json=json, **options)
    told = view.describe()
    copy = TableCopy(Columns.told(told))
    steps = []
    for number, what in enumerate(story(made)):
        made.seal(1764036000.5 + number)
        writable = what != "gaps between rows"
        while (frame := follower.flush(float(number), writable)) is not None:
            if json:
                copy.apply(read_json(orjson.loads(frame), copy.columns))
                step = {"json": orjson.loads(frame)}
            else:
                (block,) = blocks(frame)
                copy.apply(read(block.body, copy.columns))
                step = {"binary": frame.hex()}
            steps.append({"what": what, **step, "held": held(copy, made, options.get("keys"))})
            if what.startswith("tick after"):
                del steps[-1]["held"]["rows"]
    return {"name": name, "told": told, "steps": steps}


def broken() -> list[dict[str, str]]:
    """Frames for a client at tick 2 that holds SOL as row 0; each with the error it is."""
    return [
        {"what": "nothing", "binary": "", "error": "BadFrame"},
        {"what": "the end of the head", "binary": "0005", "error": "BadFrame"},
        {"what": "a base below zero", "binary": "000203", "error": "BadFrame"},
        {"what": "unknown flags", "binary": "400201", "error": "BadFrame"},
        {"what": "a newer base", "binary": "000501", "error": "OutOfStep"},
        {"what": "an older tick", "binary": "000100", "error": "OutOfStep"},
        {"what": "a difference from an older base", "binary": "0203020002", "error": "OutOfStep"},
        {"what": "a difference without the flag", "binary": "0003010002", "error": "BadFrame"},
        {"what": "cells of a row that is not held", "binary": "0003014c0202", "error": "OutOfStep"},
        {"what": "no columns", "binary": "0003010400", "error": "BadFrame"},
        {"what": "columns that do not exist", "binary": "000301042002", "error": "BadFrame"},
        {"what": "a code nobody knows", "binary": "00030106", "error": "BadFrame"},
        {"what": "a common set nobody declared", "binary": "0203010202", "error": "BadFrame"},
        {"what": "a text longer than the frame", "binary": "00030104100561", "error": "BadFrame"},
        {"what": "a text that is not UTF-8", "binary": "000301041001ff", "error": "BadFrame"},
        {"what": "a number without end", "binary": "0003010402" + "ff" * 10, "error": "BadFrame"},
        {"what": "a row beyond all", "binary": "000301" + "ff" * 8 + "01", "error": "BadFrame"},
        {"what": "another checksum", "binary": "04030101000000", "error": "OutOfStep"},
    ]


def hashes() -> list[list[int]]:
    cells = [
        (0, 0, 0, 0),
        (1, 2, 3, -4),
        (2**31 - 1, 47, BIG, 100),
        (77, 1, -BIG, -100),
        (5, 3, -1, 0),
    ]
    return [[*cell, cell_hash(*cell)] for cell in cells]


def vectors() -> dict[str, Any]:
    some = ["SOL", "BONK", "t3", "t22", "nobody"]
    return {
        "cases": [
            case("binary, all", False),
            case("binary, some", False, keys=some),
            case("binary, every second tick", False, pace=2),
            case("json, all", True),
            case("json, some", True, keys=some),
        ],
        "broken": broken(),
        "hashes": hashes(),
    }


def text() -> str:
    return json.dumps(vectors(), ensure_ascii=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
