"""The rules of a handshake, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from picows.picows import _parse_http_request, _validate_upgrade_request

from fastws.gateway.answers import Refused
from fastws.gateway.handshake import Handshake, read
from fastws.gateway.head import parse
from tests.gateway.edge import ACCEPT, PATH, handshake


def judged(*args: str, **fields: Any) -> Handshake:
    return read(parse(handshake(*args, **fields)[:-4]))


def refusal(*args: str, **fields: Any) -> int:
    with pytest.raises(Refused) as raised:
        judged(*args, **fields)
    return raised.value.status


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/x", "/x", {}),
        ("/x?", "/x", {}),
        ("/x?raw", "/x", {"raw": ""}),
        ("/x?a=1&a=2", "/x", {"a": "1"}),
        ("/x?a=%C3%BC+b%2Bc", "/x", {"a": "ü b+c"}),
        ("/x&channel=token.%24WIF", "/x", {"channel": "token.$WIF"}),
        ("/x&channel=a?token=t", "/x", {"channel": "a", "token": "t"}),
        ("/x?a=b?c", "/x", {"a": "b?c"}),
        ("/%78?a", "/%78", {"a": ""}),
    ],
)
def test_targets(target: str, path: str, query: dict[str, str]) -> None:
    found = judged(target)
    assert (found.path, found.query) == (path, query)


@pytest.mark.parametrize("target", ["http://x/y", "*", "x", "/x?a=%FF", "/x?" + "a=1&" * 33])
def test_bad_targets(target: str) -> None:
    assert refusal(target) == 400


@pytest.mark.parametrize(
    "key",
    ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZQ==, x",
     "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNh bXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j_Q==", None],
)  # fmt: skip
def test_bad_keys(key: str | None) -> None:
    assert refusal(**{"Sec-WebSocket-Key": key}) == 400


@pytest.mark.parametrize(
    "line",
    [
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: https://a.example\r\nOrigin: https://a.example",
        "Authorization: Bearer a\r\nAuthorization: Bearer b",
        "Transfer-Encoding: chunked",
        "Content-Length: 1",
        "Content-Length: 0\r\nContent-Length: 0",
        "Sec-WebSocket-Protocol: a b",
        "Sec-WebSocket-Protocol: a, b@c",
    ],
)
def test_lines_that_may_not_be(line: str) -> None:
    assert refusal(PATH, line) == 400


def test_a_second_version_is_no_version() -> None:
    assert refusal(PATH, "Sec-WebSocket-Version: 13") == 426
    assert refusal(**{"Sec-WebSocket-Version": "13, 8"}) == 426


def test_http_1_0_cannot_be_upgraded() -> None:
    with pytest.raises(Refused) as raised:
        read(parse(handshake()[:-4].replace(b"HTTP/1.1", b"HTTP/1.0")))
    assert raised.value.status == 400


@pytest.mark.parametrize("host", ["", "a b", "ü"])
def test_bad_hosts(host: str) -> None:
    assert refusal(Host=host) == 400


def test_cookies() -> None:
    found = judged(PATH, "Cookie: c=3; session=other", Cookie='a=1;session="s.t";  b = x; ;d')
    assert found.cookies == {"a": "1", "session": "s.t", "b ": " x", "c": "3"}
    assert found.has_cookie
    assert found.credential == ("cookie", "s.t")


def test_the_first_credential_wins() -> None:
    cookie = "session=from.the.cookie"
    offered = {"Sec-WebSocket-Protocol": "v69, a.b.c"}
    path = PATH + "?token=q"
    assert judged(path).credential == ("query", "q")
    assert judged(path, Cookie=cookie).credential == ("cookie", "from.the.cookie")
    assert judged(path, Cookie=cookie, **offered).credential == ("subprotocol", "a.b.c")
    found = judged(path, Cookie=cookie, Authorization="Bearer h", **offered)
    assert found.credential == ("header", "h")
    assert judged().credential is None


def test_picows_accepts_the_clean_head() -> None:
    clean = judged(Connection="keep-alive, Upgrade", Upgrade="WebSocket").clean()
    assert clean.endswith(b"\r\n\r\n")
    assert _validate_upgrade_request(_parse_http_request(clean[:-4])) == ACCEPT
