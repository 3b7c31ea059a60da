"""What a client holds: the vectors that the JavaScript decoder runs, too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastws.client.frames import BadFrame, Columns, Frame, blocks, read, read_json
from fastws.client.tables import OutOfStep, TableCopy, cell_hash
from tests.vectors import make

VECTORS = json.loads(make.FILE.read_text())
CASES = VECTORS["cases"]


def frame_of(step: dict[str, Any], columns: Columns) -> Frame:
    if "json" in step:
        return read_json(step["json"], columns)
    (block,) = blocks(bytes.fromhex(step["binary"]))
    assert (block.type, block.channel) == (1, 300)
    return read(block.body, columns)


def begun() -> TableCopy:
    """A client at tick 2 that holds SOL as row 0."""
    copy = TableCopy(Columns.told(CASES[0]["told"]))
    copy.apply(frame_of(CASES[0]["steps"][0], copy.columns))
    copy.apply(
        read_json({"tick": 2, "base": 1, "epoch": 0, "rows": [], "removed": [1]}, copy.columns)
    )
    return copy


def test_the_vectors_are_those_the_code_makes_now() -> None:
    assert make.FILE.read_text() == make.text(), "run: python -m tests.vectors.make"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_held_after_each_frame(case: dict[str, Any]) -> None:
    copy = TableCopy(Columns.told(case["told"]))
    for step in case["steps"]:
        copy.apply(frame_of(step, copy.columns))
        held = dict(step["held"])
        rows = held.pop("rows", None)
        assert held == {
            "tick": copy.tick,
            "epoch": copy.epoch,
            "partial": copy.partial,
            "skipped": copy.skipped,
            "checksum": copy.checksum(),
        }
        if rows is not None:
            found = {copy.keys[row]: [row, *cells] for row, cells in copy.rows.items()}
            assert json.loads(json.dumps(found)) == rows, step["what"]


@pytest.mark.parametrize("bad", VECTORS["broken"], ids=lambda bad: bad["what"])
def test_what_is_broken_is_told_and_only_a_snapshot_helps(bad: dict[str, str]) -> None:
    copy = begun()
    with pytest.raises({"BadFrame": BadFrame, "OutOfStep": OutOfStep}[bad["error"]]):
        copy.take(bytes.fromhex(bad["binary"]))
    assert copy.lost
    assert copy.take(bytes.fromhex("000100")) == set(), "dropped"
    copy.apply(frame_of(CASES[0]["steps"][0], copy.columns))
    assert not copy.lost
    assert copy.checksum() == CASES[0]["steps"][0]["held"]["checksum"]


def test_cells_hash_as_they_do_elsewhere() -> None:
    for row, column, number, exponent, expected in VECTORS["hashes"]:
        assert cell_hash(row, column, number, exponent) == expected


def test_what_is_not_wanted_any_more_is_forgotten_before_a_resume() -> None:
    copy = begun()
    copy.forget({"SOL", "nobody"})
    assert copy.by_key() == {}
