"""What a refused peer reads."""

from __future__ import annotations

import orjson

from fastws.gateway.answers import Refused, busy


def test_an_answer_is_whole_and_ends_the_connection() -> None:
    head, _, body = Refused(403, "Origin not allowed", "origin").encode().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 403 Forbidden"
    assert f"Content-Length: {len(body)}" in lines
    assert "Connection: close" in lines
    assert "X-Content-Type-Options: nosniff" in lines
    assert orjson.loads(body) == {"error": "Origin not allowed"}


def test_busy_says_when_to_come_back() -> None:
    assert b"\r\nRetry-After: 7\r\n" in busy("full", 7).encode()
    assert busy("full", 7).encode().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
