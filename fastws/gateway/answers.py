"""What a peer reads that is not let in: a status, a sentence in JSON, and the end."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson

from fastws.pages.origin import SECURITY

__all__ = ["Refused", "busy"]

_FIXED: Final = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Connection": "close",
        "Cache-Control": "no-store",
        "Content-Type": "application/json; charset=utf-8",
        **SECURITY,
    }.items()
)


class Refused(Exception):
    """A request that ends here. ``text`` is for its developer, ``reason`` for the figures."""

    def __init__(
        self, status: int, text: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason
        self.headers = headers or {}

    def encode(self) -> bytes:
        """The whole answer, ready to be written."""
        body = orjson.dumps({"error": self.text})
        own = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        line = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
        return f"{line}{own}{_FIXED}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


def busy(reason: str, seconds: int, text: str = "Too many connections, try again later") -> Refused:
    """503: come back after ``seconds``."""
    return Refused(503, text, reason, {"Retry-After": str(seconds)})
