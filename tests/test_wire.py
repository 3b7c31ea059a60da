"""JSON on the wire: what is read, what is refused and how, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Struct

from fastws import wire
from fastws.errors import Close, WireError
from fastws.wire import Message, Reply, Since, Subscribe

T = TypeVar("T")


def attempt(read: Callable[[], T]) -> T | WireError:
    """What was read, or how it was refused; any other error is a fault."""
    try:
        return read()
    except WireError as error:
        return error


# ── opening an envelope ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"ping"}', ("ping", None)),
        ('{"type":"ping","id":7}', ("ping", 7)),
        ('{"type":"ping","id":"a-1"}', ("ping", "a-1")),
        ('{"type":"ping","id":null}', ("ping", None)),
        ('{"type":"ping","id":0}', ("ping", 0)),
        ('{"type":"ping","id":-9007199254740991}', ("ping", -(2**53) + 1)),
        ('{"id":"","type":""}', ("", "")),
        (' \n{"unknown":[1],"type":"x"} ', ("x", None)),
        ('{"type":"a","type":"b"}', ("b", None)),
        ('{"type":"gr\\u00fc\\u00df"}', ("grüß", None)),
    ],
)
def test_type_and_id_are_read(text: str, expected: tuple[str, Any]) -> None:
    assert wire.open_envelope(text.encode()) == expected
    assert wire.open_envelope(memoryview(bytearray(text.encode()))) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b'{"type":"x"',
        b'{"type":"x"}}',
        b"{'type':'x'}",
        b'{"type":"\xff"}',
        b'{"type":"\\ud800',
        b"\x00",
        b"NaN",
        b'{"type":"x","a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_is_no_object_is_refused_and_closes(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        wire.open_envelope(data)
    assert (caught.value.code, caught.value.message) == (
        "INVALID_MESSAGE",
        "Invalid message format",
    )
    assert caught.value.close is Close.UNSUPPORTED


@pytest.mark.parametrize("bad", ["true", "1.5", "[]", "{}", str(2**53), '"' + "x" * 65 + '"'])
def test_an_id_is_an_integer_or_a_short_string(bad: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.open_envelope(f'{{"type":"x","id":{bad}}}'.encode())
    assert (caught.value.code, caught.value.close) == ("INVALID_ID", None)
    assert "64 characters" in caught.value.message


@pytest.mark.parametrize("type_", ["", '"type":null,', '"type":1,', '"type":["x"],'])
def test_a_type_that_is_no_string_is_unknown_and_answered_with_the_id(type_: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.open_envelope(f'{{{type_}"id":3}}'.encode())
    assert caught.value.code == "UNKNOWN_MESSAGE_TYPE"
    assert caught.value.fields == {"id": 3}
    assert caught.value.close is None


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    found = attempt(lambda: wire.open_envelope(data))
    if isinstance(found, WireError):
        assert found.code in ("INVALID_MESSAGE", "INVALID_ID", "UNKNOWN_MESSAGE_TYPE")
    else:
        type_, id_ = found
        assert json.loads(data)["type"] == type_
        assert id_ is None or isinstance(id_, int | str)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["channel", "rows", "since", "format", "x"]), json_values))
def test_a_subscribe_of_any_shape_is_decoded_or_refused_by_name(fields: dict[str, Any]) -> None:
    data = json.dumps({"type": "subscribe", **fields}).encode()
    found = attempt(lambda: wire.decode(Subscribe, data))
    if isinstance(found, WireError):
        assert found.code == "INVALID_PAYLOAD"
        assert found.close is None
        assert found.fields["field"] in ("channel", "rows", "since", "format")
    else:
        assert found.channel == fields["channel"]


# ── decoding a command ──────────────────────────────────────────────────────────────────


class Order(Message):
    """A message of a test."""

    symbol: str
    amount: int = 1


def test_a_message_is_decoded_and_extras_of_older_clients_are_ignored() -> None:
    message = wire.decode(Order, b'{"type":"order","symbol":"SOL","id":4,"extra":{"a":1}}')
    assert (message.symbol, message.amount, message.id) == ("SOL", 1, 4)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{}", "symbol"),
        ('{"symbol":1}', "symbol"),
        ('{"symbol":"x","amount":"y"}', "amount"),
        ('{"symbol":"x","amount":1.5}', "amount"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, field: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(Order, text.encode())
    error = caught.value
    assert (error.code, error.fields, error.close) == ("INVALID_PAYLOAD", {"field": field}, None)
    assert field in error.message
    assert "Order" not in error.message, "no inner names"


def test_the_field_of_a_nested_fault_is_the_outer_one() -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(Subscribe, b'{"channel":"x","since":{"epoch":-1}}')
    assert caught.value.fields == {"field": "since"}


@pytest.mark.parametrize("data", [b"", b"{", b'{"symbol":"\xff"}'])
def test_bytes_that_are_no_json_close(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(Order, data)
    assert (caught.value.code, caught.value.close) == ("INVALID_MESSAGE", Close.UNSUPPORTED)


def test_a_subscribe_tells_left_out_from_given() -> None:
    bare = wire.decode(Subscribe, b'{"channel":"x"}')
    assert bare.format is bare.rows is bare.since is bare.new is bare.max_rate_ms is UNSET
    full = wire.decode(
        Subscribe,
        b'{"channel":"x","format":"json","rows":["a"],"max_rate_ms":1000,'
        b'"since":{"epoch":1,"offset":2}}',
    )
    assert full.since == Since(epoch=1, offset=2)
    assert (full.format, full.rows, full.max_rate_ms) == ("json", ["a"], 1000)


# ── encoding ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_723_161_600.9999, "2024-08-09T00:00:00.999Z"),
        (1_723_161_600.001, "2024-08-09T00:00:00.001Z"),
        (4_102_444_800.5, "2100-01-01T00:00:00.500Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert wire.iso(seconds) == text


@given(st.integers(0, 4 * 10**12))
def test_a_time_can_be_read_back(milliseconds: int) -> None:
    moment = datetime.fromisoformat(wire.iso(milliseconds / 1000))
    assert moment.tzinfo == UTC
    assert abs(moment.timestamp() * 1000 - milliseconds) <= 1, "never off by more than the unit"


def test_a_frame_has_type_fields_channel_id_and_time_in_that_order() -> None:
    frame = wire.encode("news", {"n": 1}, 0.0, channel="a", id="q")
    assert frame == (
        b'{"type":"news","n":1,"channel":"a","id":"q","timestamp":"1970-01-01T00:00:00.000Z"}'
    )


def test_a_frame_of_no_channel_and_no_request_names_neither() -> None:
    assert set(json.loads(wire.encode("x", {}, 0.0))) == {"type", "timestamp"}
    assert json.loads(wire.encode("x", {}, 0.0, id=0))["id"] == 0, "zero is an id"


def test_a_timestamp_among_the_fields_wins() -> None:
    assert json.loads(wire.encode("pong", {"timestamp": 5}, 0.0))["timestamp"] == 5


def test_structs_and_keys_that_are_numbers_can_be_sent() -> None:
    class Row(Struct):
        a: int
        b: str | None = None

    frame = json.loads(wire.encode("x", {"row": Row(1), "by_id": {7: "seven"}}, 0.0))
    assert (frame["row"], frame["by_id"]) == ({"a": 1, "b": None}, {"7": "seven"})


def test_a_reply_shows_what_it_is() -> None:
    reply = Reply("pong", timestamp=3)
    assert (reply.type, reply.fields) == ("pong", {"timestamp": 3})
    assert repr(reply) == "Reply('pong', {'timestamp': 3})"
    assert Reply("x", type="a field of that name").fields == {"type": "a field of that name"}
