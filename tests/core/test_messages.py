"""Messages are made of frames as RFC 6455 says, and as the readable twin says."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws._core import messages
from fastws._core.messages import Messages
from fastws.errors import Close
from tests.core import oracle

OPCODES = st.sampled_from([0, 1, 2, 3, 8, 9, 10, 11])
PAYLOADS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.tuples(st.integers(0, 5100), st.text(max_size=4)).map(
        lambda pair: pair[0].to_bytes(2, "big") + pair[1].encode()
    ),
)
RSV1 = 4


def deflated(data: bytes, level: int = 6, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """The payload of a compressed message."""
    made = zlib.compressobj(level, zlib.DEFLATED, -15)
    whole = made.compress(data) + made.flush(flush)
    return whole.removesuffix(b"\0\0\xff\xff") if flush == zlib.Z_SYNC_FLUSH else whole + b"\0"


COMPRESSED = st.tuples(
    st.one_of(st.binary(max_size=40), st.text(max_size=30).map(str.encode)),
    st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FINISH]),
).map(lambda pair: deflated(pair[0], flush=pair[1]))
FRAMES = st.tuples(
    OPCODES, st.booleans(), st.sampled_from([0] * 9 + [1, 2, 4, 4, 6]), PAYLOADS | COMPRESSED
)


@given(st.lists(FRAMES, max_size=12), st.booleans())
def test_it_agrees_with_its_twin(
    frames: list[tuple[int, bool, int, bytes]], inflates: bool
) -> None:
    made, twin = Messages(20, 4, inflates), oracle.Messages(20, 4, inflates)
    for frame in frames:
        event = made.feed(*frame)
        assert event == twin.feed(*frame)
        if event in ("text", "binary", "ping", "pong"):
            assert made.data == twin.data
        assert made.waiting == twin.waiting
        if event in ("close", "failure"):
            assert (made.code, made.reason) == (twin.code, twin.reason)
            return


def test_the_codes_are_those_of_the_table() -> None:
    assert Close.PROTOCOL_ERROR.code == messages.PROTOCOL_ERROR
    assert Close.INVALID_TEXT.code == messages.INVALID_TEXT
    assert Close.TOO_BIG.code == messages.TOO_BIG
    assert Close.NORMAL.code == messages.NORMAL_CLOSURE


def test_a_control_frame_may_come_between_fragments() -> None:
    made = Messages(100)
    assert made.feed(1, False, False, b"he") == ""
    assert made.feed(9, True, False, b"?") == "ping"
    assert made.feed(0, True, False, b"llo") == "text"
    assert made.data == b"hello"


def test_a_character_may_be_cut_between_fragments() -> None:
    made = Messages(100)
    assert made.feed(1, False, False, b"\xf0\x9f") == ""
    assert made.feed(0, True, False, b"\x9a\x80") == "text"
    assert made.data.decode() == "🚀"


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"12345678\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\xaf",
        b"a" * 64 + b"\x80",
    ],
    ids=repr,
)
def test_text_that_is_not_utf8_ends_with_1007(text: bytes) -> None:
    made = Messages(100)
    assert made.feed(1, True, False, text) == "failure"
    assert made.code == 1007
    assert Messages(100).feed(2, True, False, text) == "binary", "binary may be anything"


def test_the_limit_is_that_of_the_whole_message() -> None:
    made = Messages(10)
    assert made.feed(2, False, False, b"x" * 6) == ""
    assert made.feed(0, False, False, b"x" * 4) == ""
    assert made.feed(0, True, False, b"x") == "failure"
    assert (made.code, made.waiting) == (1009, 0), "and what was held is let go"


def test_fragments_are_counted_even_when_they_are_empty() -> None:
    made = Messages(100, 3)
    assert [made.feed(1, False, False, b""), made.feed(0, False, False, b"")] == ["", ""]
    assert made.feed(0, False, False, b"") == ""
    assert made.feed(0, False, False, b"") == "failure"
    assert made.code == 1009


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1012, 1014, 3000, 4001, 4999])
def test_close_codes_a_peer_may_send(code: int) -> None:
    made = Messages(100)
    assert made.feed(8, True, False, code.to_bytes(2, "big") + "ende ü".encode()) == "close"
    assert (made.code, made.reason) == (code, "ende ü")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_close_codes_nobody_may_send(code: int) -> None:
    made = Messages(100)
    assert made.feed(8, True, False, code.to_bytes(2, "big")) == "failure"
    assert made.code == 1002


# ── compressed messages ─────────────────────────────────────────────────────────────────


@given(
    st.one_of(st.text().map(str.encode), st.binary(max_size=3000)),
    st.sampled_from([0, 1, 9]),
    st.lists(st.integers(0, 3000), max_size=6),
)
def test_a_compressed_message_may_come_in_pieces(data: bytes, level: int, cuts: list[int]) -> None:
    packed = deflated(data, level)
    places = sorted({0, *(min(cut, len(packed)) for cut in cuts)})
    pieces = [packed[a:b] for a, b in zip(places, [*places[1:], len(packed)], strict=True)]
    made = Messages(4000, inflates=True)
    for number, piece in enumerate(pieces):
        opcode, reserved = (0, 0) if number else (2, RSV1)
        event = made.feed(opcode, number == len(pieces) - 1, reserved, piece)
    assert event == "binary"
    assert (made.data, made.inflated) == (data, len(data))


def test_messages_may_be_compressed_or_not_in_turn() -> None:
    made = Messages(100, inflates=True)
    for data in (b"hello", b"hello", b""):
        assert made.feed(1, True, RSV1, deflated(data)) == "text"
        assert (made.data, made.inflated) == (data, len(data))
        assert made.feed(1, True, 0, b"plain") == "text"
        assert (made.data, made.inflated) == (b"plain", 0)


def test_the_examples_of_the_specification() -> None:
    for example in (
        "f248cdc9c90700",  # 7.2.3.1
        "000500faff48656c6c6f00",  # 7.2.3.3: stored
        "f348cdc9c9070000",  # 7.2.3.4: a final block
        "f24805000000ffffcac9c90700",  # 7.2.3.5: two blocks
    ):
        made = Messages(100, inflates=True)
        assert made.feed(1, True, RSV1, bytes.fromhex(example)) == "text", example
        assert made.data == b"Hello"


@pytest.mark.parametrize(
    ("opcode", "reserved", "inflates"),
    [(1, 4, False), (1, 1, True), (2, 2, True), (1, 5, True), (1, 6, True), (9, 4, True),
     (8, 4, True), (10, 4, True), (0, 4, True)],
)  # fmt: skip
def test_reserved_bits_that_were_not_agreed_on_end_with_1002(
    opcode: int, reserved: int, inflates: bool
) -> None:
    made = Messages(100, inflates=inflates)
    assert made.feed(2, False, 0, b"") == ""
    assert made.feed(opcode, True, reserved, b"") == "failure"
    assert made.code == 1002


@pytest.mark.parametrize(
    "bad",
    [b"\xff\xff", deflated(b"hello" * 9)[:-3] + b"\xff\xff\xff", b"\x06",
     deflated(b"x", flush=zlib.Z_FINISH) + b"more", deflated(b"\xff")],
    ids=["a bad block", "a bad end", "a reserved type", "data after the last block", "no UTF-8"],
)  # fmt: skip
def test_data_that_cannot_be_inflated_ends_with_1007(bad: bytes) -> None:
    made = Messages(1000, inflates=True)
    assert made.feed(1, True, RSV1, bad) == "failure"
    assert made.code == 1007


def test_the_limit_is_that_of_the_inflated_message() -> None:
    for size, event in ((1000, "binary"), (1001, "failure")):
        made = Messages(1000, inflates=True)
        assert made.feed(2, True, RSV1, deflated(b"x" * size)) == event
    assert made.code == 1009
    noise = random.Random(1).randbytes(995)
    made = Messages(1000, inflates=True)
    assert made.feed(2, True, RSV1, deflated(noise, 0)) == "failure", "it is the limit of both"


def test_a_bomb_costs_no_more_than_the_longest_message() -> None:
    bomb = deflated(bytes(60_000_000), 9)
    assert len(bomb) < 65_536
    made = Messages(65_536, inflates=True)
    tracemalloc.start()
    assert made.feed(2, True, RSV1, bomb) == "failure"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.code == 1009
    assert most < 400_000


def test_limits_must_make_sense() -> None:
    with pytest.raises(ValueError, match="positive"):
        Messages(0)
    with pytest.raises(ValueError, match="positive"):
        Messages(1, 0)
