"""What a client raises says what happened, in one tree."""

from __future__ import annotations

import pytest

from fastws.client import failures
from fastws.client.failures import ClientError, Closed, ErrorReply, HandshakeRefused, NoToken
from fastws.errors import FastwsError


@pytest.mark.parametrize("name", failures.__all__)
def test_one_root_catches_them_all(name: str) -> None:
    kind = getattr(failures, name)
    assert issubclass(kind, ClientError)
    assert issubclass(kind, FastwsError)
    assert name in (failures.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HandshakeRefused(404), "the server answered HTTP 404 instead of a WebSocket"),
        (NoToken(401, "Invalid session"), "HTTP 401: Invalid session"),
        (NoToken(0, "no JSON came"), "no JSON came"),
        (Closed(1006, "", "reconnect"), "closed 1006"),
        (Closed(4401, "Token expired", "new_token"), "closed 4401 (Token expired)"),
        (ErrorReply({"code": "X", "message": "y"}), "X: y"),
        (ErrorReply({}), ": "),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_happened_is_a_sentence(error: ClientError, text: str) -> None:
    assert str(error) == text


def test_what_is_needed_to_go_on_is_kept() -> None:
    last = {"code": "UNAUTHORIZED"}
    closed = Closed(4001, "Authentication required", "new_token", last)
    assert (closed.code, closed.action, closed.error) == (4001, "new_token", last)
    reply = ErrorReply({"code": "RATE_LIMIT_EXCEEDED", "retry_after_ms": 40})
    assert (reply.code, reply.frame["retry_after_ms"]) == ("RATE_LIMIT_EXCEEDED", 40)
    assert HandshakeRefused(503).status == 503
