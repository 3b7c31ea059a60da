"""Table frames, read: binary blocks and their JSON form, as one kind of `Frame`.

Nothing here knows what a client holds; that is `fastws.client.tables`. The layout is in
docs/wire.md, "Table frames". Garbage is `BadFrame`, whatever it is made of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import zstandard

__all__ = ["BadFrame", "Block", "Change", "Columns", "Frame", "blocks", "read", "read_json"]

TABLE: Final = 1
"""Type of the block that is a table frame."""

PACKED: Final = 2
"""Type of a block whose content is a zstd frame of blocks."""

MOST_UNPACKED: Final = 4 * 2**20
"""Bytes that a packed block may become."""

SNAPSHOT, RELATIVE, CHECKSUM, REMOVED, SKIPPED, PARTIAL = 1, 2, 4, 8, 16, 32
MASKED, ABSOLUTE, FULL = 3, 4, 5

MAX_ROW: Final = 2**31 - 1


class BadFrame(ValueError):
    """Bytes that are no frame of this table; ask for a snapshot (``resync``)."""


class Columns(NamedTuple):
    """What a confirmation tells of a table: names and kinds, and the common masks."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    common: tuple[int, ...] = ()

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> Columns:
        """From the fields ``columns`` and ``common`` of a confirmation or a JSON snapshot."""
        columns = said["columns"]
        return cls(
            tuple(column["name"] for column in columns),
            tuple(column["kind"] for column in columns),
            tuple(said.get("common", ())),
        )


class Block(NamedTuple):
    """One block of a binary message. Channels are numbers that the confirmations named."""

    type: int
    channel: int
    body: bytes


class Change(NamedTuple):
    """A row in a frame. ``key`` is there if the row is whole; else ``cells`` are those of ``mask``.

    A relative decimal is the difference of the mantissas; an absolute one a pair.
    """

    id: int
    key: str | None
    mask: int
    relative: bool
    cells: tuple[Any, ...]


class Frame(NamedTuple):
    """What happened to a table from tick ``base`` to ``tick``."""

    tick: int
    base: int
    epoch: int | None
    snapshot: bool
    partial: bool
    skipped: int
    checksum: int | None
    removed: tuple[int, ...]
    rows: tuple[Change, ...]

    @property
    def relative(self) -> bool:
        """Whether some row can only be read at exactly ``base``."""
        return any(row.relative for row in self.rows)


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    @property
    def ended(self) -> bool:
        return self.at >= len(self.data)

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise BadFrame("the frame ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 62:
                raise BadFrame("a number of more than nine bytes")

    def signed(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise BadFrame("the frame ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        try:
            return self.take(self.varint()).decode()
        except UnicodeDecodeError:
            raise BadFrame("a text that is not UTF-8") from None

    def ids(self) -> tuple[int, ...]:
        last, found = -1, []
        for _ in range(self.varint()):
            last = _row(last + 1 + self.varint())
            found.append(last)
        return tuple(found)


def _row(number: int) -> int:
    if number > MAX_ROW:
        raise BadFrame("a row number beyond 2**31")
    return number


def blocks(message: bytes, packed: bool = True) -> Iterator[Block]:
    """The blocks of a binary message, in order, those that were packed included.

    `BadFrame` for what cannot be read, unpacks to more than `MOST_UNPACKED` bytes, or is packed
    twice (``packed``: whether it may be).
    """
    reader = _Reader(message)
    while not reader.ended:
        inner = _Reader(reader.take(reader.varint()))
        kind = inner.byte()
        if kind != PACKED:
            channel = inner.varint()
            yield Block(kind, channel, inner.data[inner.at :])
        elif packed:
            yield from blocks(_unpacked(inner.data[inner.at :]), packed=False)
        else:
            raise BadFrame("a packed block within a packed block")


def _unpacked(data: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= MOST_UNPACKED:
            raise BadFrame(f"a packed block of {size} bytes")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise BadFrame(f"a packed block that cannot be read: {error}") from None


def read(body: bytes, columns: Columns) -> Frame:
    """The frame in a block's body; `BadFrame` if it is none of a table with these columns."""
    reader = _Reader(body)
    flags = reader.byte()
    tick = reader.varint()
    base = tick - reader.varint()
    if base < 0 or flags & ~0x3F:
        raise BadFrame("a base below zero, or flags nobody knows")
    epoch = reader.varint() if flags & SNAPSHOT else None
    skipped = reader.varint() if flags & SKIPPED else 0
    checksum = struct.unpack("<I", reader.take(4))[0] if flags & CHECKSUM else None
    removed = reader.ids() if flags & REMOVED else ()
    rows, last = [], -1
    while not reader.ended:
        head = reader.varint()
        last = _row(last + 1 + (head >> 3))
        rows.append(_change(reader, last, head & 7, columns))
        if rows[-1].relative and not flags & RELATIVE:
            raise BadFrame("a difference in a frame that has none")
    return Frame(
        tick,
        base,
        epoch,
        bool(flags & SNAPSHOT),
        bool(flags & PARTIAL),
        skipped,
        checksum,
        removed,
        tuple(rows),
    )


def _change(reader: _Reader, id: int, code: int, columns: Columns) -> Change:
    every = (1 << len(columns.kinds)) - 1
    key = None
    if code < len(columns.common) and code < MASKED:
        mask = columns.common[code]
    elif code in (MASKED, ABSOLUTE):
        mask = reader.varint()
    elif code == FULL:
        key, mask = reader.text(), every
    else:
        raise BadFrame(f"a row of kind {code}")
    if not mask or mask & ~every:
        raise BadFrame("a row of columns that do not exist")
    relative = code <= MASKED
    cells = tuple(
        _cell(reader, kind, relative) for bit, kind in enumerate(columns.kinds) if mask >> bit & 1
    )
    return Change(id, key, mask, relative, cells)


def _cell(reader: _Reader, kind: str, relative: bool) -> Any:
    if kind == "decimal":
        mantissa = reader.signed()
        if relative:
            return mantissa
        exponent = reader.byte()
        return mantissa, exponent - 256 if exponent > 127 else exponent
    if kind == "int":
        return reader.signed()
    if kind == "enum":
        return reader.varint()
    if kind == "float":
        return struct.unpack("<f", reader.take(4))[0]
    return reader.text()


def read_json(said: Mapping[str, Any], columns: Columns) -> Frame:
    """The frame that a JSON object of type ``table`` is."""
    try:
        return Frame(
            int(said["tick"]),
            int(said["base"]),
            said["epoch"],
            bool(said.get("snapshot")),
            bool(said.get("partial")),
            int(said.get("skipped", 0)),
            said.get("checksum"),
            tuple(said.get("removed", ())),
            tuple(_json_change(row, columns) for row in said["rows"]),
        )
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise BadFrame(f"not a table frame: {error!r}") from None


def _json_change(row: Sequence[Any], columns: Columns) -> Change:
    every = (1 << len(columns.kinds)) - 1
    key = row[1] if isinstance(row[1], str) else None
    mask = every if key is not None else row[1]
    if not mask or mask & ~every or mask.bit_count() != len(row) - 2:
        raise BadFrame("a row of columns that do not exist")
    kinds = [kind for bit, kind in enumerate(columns.kinds) if mask >> bit & 1]
    cells = tuple(
        (int(cell[0]), int(cell[1])) if kind == "decimal" else cell
        for cell, kind in zip(row[2:], kinds, strict=True)
    )
    return Change(row[0], key, mask, False, cells)
