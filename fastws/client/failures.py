"""What can go wrong for a client, each with what to do about it.

ClientError
├── Unreachable       nobody answers at the address, or no WebSocket server
├── HandshakeRefused  an HTTP status instead of 101
├── NoToken           the token route said no
├── ErrorReply        a request was answered by an ``error`` frame
└── Closed            the connection ended; ``action`` says what its code asks for
"""

from __future__ import annotations

from typing import Any

from fastws.errors import Action, FastwsError

__all__ = ["ClientError", "Closed", "ErrorReply", "HandshakeRefused", "NoToken", "Unreachable"]


class ClientError(FastwsError):
    """Root of what the client raises."""


class Unreachable(ClientError):
    """Nobody answers."""


class HandshakeRefused(ClientError):
    """An HTTP answer where a WebSocket was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered HTTP {status} instead of a WebSocket")
        self.status = status


class NoToken(ClientError):
    """The token route gave none; ``status`` 0 when what came was not its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}" if status else text)
        self.status = status
        self.text = text


class ErrorReply(ClientError):
    """An ``error`` frame; all of it is in ``frame``."""

    def __init__(self, frame: dict[str, Any]) -> None:
        self.code = str(frame.get("code", ""))
        self.message = str(frame.get("message", ""))
        self.frame = frame
        super().__init__(f"{self.code}: {self.message}")


class Closed(ClientError):
    """The connection is over. ``error`` is the last error frame before it, if there was one."""

    def __init__(
        self, code: int, reason: str, action: Action, error: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"closed {code}{f' ({reason})' if reason else ''}")
        self.code = code
        self.reason = reason
        self.action = action
        self.error = error
