"""Messages are made of frames as RFC 6455 says, and as the readable twin says."""

from __future__ import annotations

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
FRAMES = st.tuples(OPCODES, st.booleans(), st.sampled_from([False] * 9 + [True]), PAYLOADS)


@given(st.lists(FRAMES, max_size=12))
def test_it_agrees_with_its_twin(frames: list[tuple[int, bool, bool, bytes]]) -> None:
    made, twin = Messages(20, 4), oracle.Messages(20, 4)
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


def test_limits_must_make_sense() -> None:
    with pytest.raises(ValueError, match="positive"):
        Messages(0)
    with pytest.raises(ValueError, match="positive"):
        Messages(1, 0)
