"""Heads: what is taken, what is not, and that nothing else than a refusal comes of any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.gateway.answers import Refused
from fastws.gateway.head import malformed, parse, tokens


def test_a_head_is_taken_apart() -> None:
    head = parse(b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-A:  1 \t\r\nx-a:2\r\nEmpty:")
    assert (head.method, head.target, head.version) == ("GET", "/a?b", (1, 1))
    assert head.headers.getall("x-A") == ["1", "2"]
    assert head.headers["empty"] == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET /\xc3\xbc HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/11.1",
        b"G(T / HTTP/1.1",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\n: no name",
        b"GET / HTTP/1.1\r\nname : space",
        b"GET / HTTP/1.1\r\n folded: line",
        b"GET / HTTP/1.1\r\nA: b\r\n\tfolded",
        b"GET / HTTP/1.1\r\nA: b\nC: d",
        b"GET / HTTP/1.1\r\nA: b\rC: d",
        b"GET / HTTP/1.1\r\nA: b\x00",
        b"GET / HTTP/1.1\r\nA: \x1b[0m",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a",
    ],
)
def test_what_is_malformed(data: bytes) -> None:
    with pytest.raises(Refused) as raised:
        parse(data)
    assert raised.value.status == 400


@pytest.mark.parametrize("version", ["2.0", "0.9", "1.2", "3.0"])
def test_other_versions_of_http(version: str) -> None:
    with pytest.raises(Refused) as raised:
        parse(f"GET / HTTP/{version}\r\nHost: x".encode())
    assert raised.value.status == 505


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):
        parse(data)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_an_early_verdict_is_never_wrong(data: bytes, start: int) -> None:
    """What is called malformed before its end is refused at its end, too."""
    if b"\r\n\r\n" not in data and malformed(data, start) and not data.startswith(b"\r\n"):
        with pytest.raises(Refused):
            parse(data.removesuffix(b"\r") + b" ")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("Connection: Upgrade\r\nUpgrade: websocket", True),
        ("connection: keep-alive, UPGRADE\r\nupgrade: WebSocket", True),
        ("Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, websocket", True),
        ("Connection: ,, upgrade ,\r\nUpgrade: websocket", True),
        ("Connection: keep-alive\r\nUpgrade: websocket", False),
        ("Connection: upgraded\r\nUpgrade: websocket", False),
        ("Connection: upgrade\r\nUpgrade: h2c", False),
        ("Connection: upgrade\r\nUpgrade: websockets", False),
        ("Upgrade: websocket", False),
        ("Connection: upgrade", False),
    ],
)
def test_who_wants_a_websocket(fields: str, wanted: bool) -> None:
    head = parse(b"GET / HTTP/1.1\r\nHost: x\r\n" + fields.encode())
    assert head.wants_websocket is wanted


def test_a_list_may_be_on_several_lines() -> None:
    head = parse(b"GET / HTTP/1.1\r\nA: b, C\r\na:\r\nA: ,d")
    assert tokens(head, "A") == ["b", "c", "d"]
