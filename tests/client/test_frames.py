"""Reading table frames: whatever the bytes are, a frame or `BadFrame`."""

from __future__ import annotations

import contextlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fastws.client.frames import BadFrame, Block, Columns, blocks, read, read_json

COLUMNS = Columns(("p", "n", "e", "f", "s"), ("decimal", "int", "enum", "float", "text"), (1, 3))


def test_blocks_of_a_message_are_read_in_order() -> None:
    message = bytes([4, 1, 0xAC, 0x02, 9]) + bytes([2, 7, 5])
    assert list(blocks(message)) == [Block(1, 300, b"\x09"), Block(7, 5, b"")]


@pytest.mark.parametrize("message", [b"\x05\x01", b"\x01\x01", b"\xff" * 11, b"\x00"])
def test_a_message_that_ends_too_early_is_none(message: bytes) -> None:
    with pytest.raises(BadFrame):
        list(blocks(message))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_bad(body: bytes) -> None:
    with contextlib.suppress(BadFrame):
        frame = read(body, COLUMNS)
        assert 0 <= frame.base <= frame.tick
        assert all(row.mask < 1 << 5 for row in frame.rows)
    with contextlib.suppress(BadFrame):
        list(blocks(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["tick", "base", "epoch", "rows", "removed", "checksum"]), json_values
    )
)
def test_any_json_is_a_frame_or_bad(said: dict[str, object]) -> None:
    with contextlib.suppress(BadFrame):
        assert read_json(said, COLUMNS).rows is not None


def test_a_json_frame_is_read_like_a_binary_one() -> None:
    said = {
        "tick": 3,
        "base": 2,
        "epoch": 9,
        "rows": [[4, 17, [5, -2], "x"], [5, "k", [1, 0], 2, 3, 0.5, ""]],
    }
    frame = read_json(said, COLUMNS)
    assert [(row.id, row.key, row.mask, row.cells) for row in frame.rows] == [
        (4, None, 17, ((5, -2), "x")),
        (5, "k", 31, ((1, 0), 2, 3, 0.5, "")),
    ]
    assert not frame.relative


def test_packed_blocks_are_opened_once_and_within_bounds() -> None:
    def packed(data: bytes) -> bytes:
        body = b"\x02" + zstandard.compress(data)
        return bytes([len(body) & 127 | 128, len(body) >> 7]) + body

    inner = b"\x04\x01\x07ab"
    assert list(blocks(packed(inner) + inner)) == list(blocks(inner + inner))
    for wrong in (packed(packed(inner)), packed(b"\x00" * (5 << 20)), b"\x04\x02abc"):
        with pytest.raises(BadFrame):
            list(blocks(wrong))
