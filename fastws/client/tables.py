"""What a client holds of a table: frames come in, rows are there, a checksum proves them.

The rule for frames: relative rows need exactly the tick the client is at, others a base that
is not newer. Whatever does not fit is `OutOfStep`: the client asks for ``resync`` of this
channel and drops what comes before the snapshot.
"""

from __future__ import annotations

import struct
from typing import Any

from fastws.client.frames import BadFrame, Columns, Frame, read

__all__ = ["BadFrame", "Columns", "Frame", "OutOfStep", "TableCopy", "cell_hash"]

WORD = 0xFFFFFFFF


class OutOfStep(Exception):
    """A frame that does not follow from what is held; only a snapshot helps."""


class TableCopy:
    """The rows of one table that a client follows, as last told.

    A cell is a pair (mantissa, exponent), an int, a float or a str. ``partial``: pages of a
    snapshot are missing. ``lost``: everything but a snapshot is dropped.
    """

    def __init__(self, columns: Columns, epoch: int = 0) -> None:
        self.columns = columns
        self.epoch = epoch
        self.tick = 0
        self.partial = False
        self.lost = False
        self.skipped = 0
        self.rows: dict[int, list[Any]] = {}
        self.keys: dict[int, str] = {}

    def take(self, body: bytes) -> set[int]:
        """`apply` the body of a binary block; what cannot be read makes the copy ``lost``, too."""
        try:
            frame = read(body, self.columns)
        except BadFrame:
            self.lost = True
            raise
        return self.apply(frame)

    def apply(self, frame: Frame) -> set[int]:
        """Take a frame in; the ids that changed. Raises `OutOfStep`, and is ``lost`` then."""
        if self.lost and not frame.snapshot:
            return set()
        try:
            changed = self._apply(frame)
            if frame.checksum is not None and frame.checksum != self.checksum():
                raise OutOfStep(f"another checksum at tick {frame.tick}")
        except (OutOfStep, BadFrame):
            self.lost = True
            raise
        return changed

    def _apply(self, frame: Frame) -> set[int]:
        if frame.snapshot:
            self.rows.clear()
            self.keys.clear()
            self.epoch = self.epoch if frame.epoch is None else frame.epoch
            self.lost = False
        elif frame.base > self.tick or (frame.relative and frame.base != self.tick):
            raise OutOfStep(f"a frame from {frame.base} for a client at {self.tick}")
        elif frame.tick < self.tick:
            raise OutOfStep(f"a frame to {frame.tick} for a client at {self.tick}")
        for row in frame.removed:
            self.rows.pop(row, None)
            self.keys.pop(row, None)
        for change in frame.rows:
            if change.key is not None:
                self.keys[change.id] = change.key
                self.rows[change.id] = list(change.cells)
            elif change.id in self.rows:
                self._change(self.rows[change.id], change.mask, change.relative, change.cells)
            else:
                raise OutOfStep(f"cells of row {change.id}, which is not held")
        self.tick = frame.tick
        self.partial = frame.partial
        self.skipped += frame.skipped
        return {change.id for change in frame.rows}.union(frame.removed)

    def _change(self, row: list[Any], mask: int, relative: bool, cells: tuple[Any, ...]) -> None:
        values = iter(cells)
        for column, kind in enumerate(self.columns.kinds):
            if mask >> column & 1:
                value = next(values)
                if relative and kind == "decimal":
                    mantissa, exponent = row[column]
                    value = (mantissa + value, exponent)
                row[column] = value

    def forget(self, keys: set[str]) -> None:
        """Drop rows that are no longer wanted, before a resume without them."""
        for row in [row for row, key in self.keys.items() if key in keys]:
            del self.rows[row], self.keys[row]

    def by_key(self) -> dict[str, dict[str, Any]]:
        """Rows by key, cells by column."""
        return {
            key: dict(zip(self.columns.names, self.rows[row], strict=True))
            for row, key in self.keys.items()
        }

    def checksum(self) -> int:
        """The sum of the hashes of all cells held."""
        return (
            sum(
                cell_hash(row, column, *_numbers(kind, cells[column]))
                for row, cells in self.rows.items()
                for column, kind in enumerate(self.columns.kinds)
            )
            & WORD
        )


def _numbers(kind: str, value: Any) -> tuple[int, int]:
    """A cell as the number and exponent that are hashed."""
    if kind == "decimal":
        return value[0], value[1]
    if kind == "float":
        return struct.unpack("<I", struct.pack("<f", value))[0], 0
    if kind == "text":
        data = value.encode()
        state = 0x811C9DC5
        for byte in data:
            state = (state ^ byte) * 0x01000193 & WORD
        return len(data) << 32 | state, 0
    return value, 0


def cell_hash(row: int, column: int, number: int, exponent: int) -> int:
    """The 32-bit hash of one cell; see docs/wire.md, "Checksum"."""
    state = row * 0x9E3779B1 + (column << 8 | exponent & 0xFF) * 0x85EBCA77
    for word in (number & WORD, number >> 32 & WORD):
        word = word * 0xCC9E2D51 & WORD
        word = (word << 15 | word >> 17) & WORD
        state = (state ^ word * 0x1B873593) & WORD
        state = (state << 13 | state >> 19) & WORD
        state = state * 5 + 0xE6546B64 & WORD
    state ^= state >> 16
    state = state * 0x85EBCA6B & WORD
    return state ^ state >> 13
