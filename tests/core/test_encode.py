"""The binary layout, byte by byte as docs/wire.md says it."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from fastws._core.encode import BinaryEncoder, Encoder
from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.frames import Columns, blocks, read
from fastws.client.tables import TableCopy

EPOCH = 300  # ac 02


def made() -> tuple[Table, View, Follower]:
    columns = [Column("price", "decimal"), Column("n", "int"), Column("e", "enum")]
    columns += [Column("f", "float"), Column("s", "text")]
    table = Table("t", columns, EPOCH, (("price",), ("price", "n")))
    view = View(table)
    return table, view, Follower(view, 5, "t")


def bare(follower: Follower) -> bytes:
    """The next frame with a checksum of zero, if it has one."""
    frame = follower.flush(0.0)
    assert frame is not None
    assert frame[0] == len(frame) - 1, "the length comes first"
    at = 6 if not frame[3] & 1 else 8
    if frame[3] & 4:
        frame = frame[:at] + bytes(4) + frame[at + 4 :]
    return frame[1:]


def test_a_snapshot_has_epoch_checksum_and_whole_rows() -> None:
    table, _, follower = made()
    table.add("a", price=(100, -2), n=-3, e=200, f=1.5, s="ü")
    table.seal(0.0)
    cells = b"\xc8\x01\xfe" + b"\x05" + b"\xc8\x01" + struct.pack("<f", 1.5) + b"\x02\xc3\xbc"
    row = b"\x05" + b"\x01a" + cells
    head = bytes([1, 5, 0b101, 1, 1, 0xAC, 0x02, 0, 0, 0, 0])
    assert bare(follower) == head + row


def test_rows_are_relative_with_a_common_set_or_a_mask_and_absolute_else() -> None:
    table, _, follower = made()
    for name in "abcdefgh":
        table.add(name)
    table.seal(0.0)
    bare(follower)
    table.set_row("a", {"price": (-1, 0)})
    table.set_row("b", {"price": (2, 0), "n": 3})
    table.set_row("c", {"price": (3, 0), "s": "x"})
    table.set_row("e", {"price": (1, -1)})
    table.set_row("f", {"n": 1})
    table.seal(0.0)
    rows = bytes([0 << 3 | 0, 1])  # row 0, first common set: -1
    rows += bytes([0 << 3 | 1, 4, 6])  # row 1, second: +2, n 3
    rows += bytes([0 << 3 | 3, 0b10001, 6, 1]) + b"x"  # row 2, mask: +3, "x"
    rows += bytes([1 << 3 | 4, 0b1, 2, 0xFF])  # row 4 after a gap of one: another exponent
    rows += bytes([0 << 3 | 4, 0b10, 2])  # row 5: no difference to gain from
    assert bare(follower) == bytes([1, 5, 0b10, 2, 1]) + rows


def test_removed_ids_are_counted_and_gapped_and_skipped_flushes_named() -> None:
    table, _, follower = made()
    for name in "abcdefgh":
        table.add(name)
    table.seal(0.0)
    bare(follower)
    for name in "bcg":
        table.remove(name)
    table.seal(0.0)
    for _ in range(3):
        assert follower.flush(0.0, writable=False) is None
    assert bare(follower) == bytes([1, 5, 0b11000, 2, 1, 3, 3, 1, 0, 3])


def test_a_gap_may_need_more_than_a_byte() -> None:
    table, _, follower = made()
    for number in range(40):
        table.add(str(number))
    table.seal(0.0)
    while follower.flush(0.0):
        pass
    table.set_row("39", {"price": (1, 0)})
    table.seal(0.0)
    assert bare(follower) == bytes([1, 5, 0b10, 2, 1, 0xB8, 0x02, 2])


values = st.fixed_dictionaries(
    {},
    optional={
        "price": st.tuples(st.integers(1 - 2**53, 2**53 - 1), st.integers(-100, 100)),
        "n": st.integers(1 - 2**53, 2**53 - 1),
        "e": st.integers(0, 2**53 - 1),
        "f": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "s": st.text(max_size=200),
    },
)


@given(st.lists(st.tuples(st.sampled_from("abc"), values), max_size=12))
def test_what_is_encoded_is_read_again(changes: list[tuple[str, dict[str, object]]]) -> None:
    table, view, follower = made()
    copy = TableCopy(Columns.told(view.describe()))
    for key, cells in changes:
        if key in table.rows():
            table.set_row(key, cells)
        else:
            table.add(key, **cells)
        table.seal(0.0)
        while (frame := follower.flush(0.0)) is not None:
            (block,) = blocks(frame)
            copy.apply(read(block.body, copy.columns))
        assert repr(copy.by_key()) == repr({key: table.get(key) for key in copy.by_key()})
        assert len(copy.rows) == len(table)
        assert copy.checksum() == view.checksum


def test_a_view_makes_its_encoders_itself() -> None:
    assert issubclass(BinaryEncoder, Encoder)
