"""What a WebSocket handshake must say (RFC 6455 section 4.2.1, wire.md A2). No sockets.

picows is stricter about spelling than browsers are and laxer about the rest, so it is given a
head of our own making: `Handshake.clean`.
"""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from fastws.gateway.answers import Refused
from fastws.gateway.extensions import negotiate
from fastws.gateway.head import Head, entries, is_token
from fastws.identity import Credential, find_credential

__all__ = ["Handshake", "read"]

PARAMETERS: Final = 32
"""Most parameters of a query."""


class Handshake(Struct, frozen=True):
    """A well-formed request for a WebSocket; ``deflate`` answers its offer of compression."""

    path: str
    query: dict[str, str]
    host: str
    origin: str | None
    key: str
    subprotocols: list[str]
    deflate: str | None
    cookies: dict[str, str]
    has_cookie: bool
    credential: Credential | None

    def clean(self) -> bytes:
        """The least that picows accepts."""
        return (
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {self.key}\r\n\r\n"
        ).encode("ascii")


def read(head: Head) -> Handshake:
    """The handshake of a head that wants one; raises `Refused`."""
    headers = head.headers
    if head.method != "GET":
        raise Refused(405, "A WebSocket handshake is a GET request", "method", {"Allow": "GET"})
    if head.version != (1, 1):
        raise _bad("A WebSocket handshake needs HTTP/1.1")
    if "Transfer-Encoding" in headers or headers.getall("Content-Length", ["0"]) != ["0"]:
        raise _bad("A WebSocket handshake has no body")
    if headers.getall("Sec-WebSocket-Version", []) != ["13"]:
        newest = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket"}
        raise Refused(426, "Only WebSocket version 13 is spoken here", "version", newest)
    path, query = _target(head.target)
    subprotocols = entries(head, "Sec-WebSocket-Protocol")
    if not all(map(is_token, subprotocols)):
        raise _bad("Sec-WebSocket-Protocol is malformed")
    cookies = _cookies(headers.getall("Cookie", []))
    return Handshake(
        path=path,
        query=query,
        host=_host(head),
        origin=_at_most_one(head, "Origin"),
        key=_key(head),
        subprotocols=subprotocols,
        deflate=negotiate(entries(head, "Sec-WebSocket-Extensions")),
        cookies=cookies,
        has_cookie="Cookie" in headers,
        credential=find_credential(
            authorization=_at_most_one(head, "Authorization"),
            subprotocols=subprotocols,
            cookies=cookies,
            query_token=query.get("token"),
        ),
    )


def _target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query; the first of a repeated parameter counts."""
    if not target.startswith("/"):
        raise _bad("The request target must be a path")
    path, separator, text = target.partition("?")
    if "&" in path:  # …/monitor&channel=x, and what a helper may have added to it with "?"
        path, _, rest = path.partition("&")
        text = f"{rest}&{text}" if separator else rest
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS)
    except ValueError:
        raise _bad("The query is malformed") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        query.setdefault(name, value)
    return path, query


def _host(head: Head) -> str:
    host = head.headers.get("Host", "")
    if not host or not host.isascii() or not host.isprintable() or " " in host:
        raise _bad("A WebSocket handshake needs one Host header")
    return host


def _key(head: Head) -> str:
    keys = head.headers.getall("Sec-WebSocket-Key", [])
    if len(keys) == 1 and _is_key(keys[0]):
        return str(keys[0])
    raise _bad("A WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64")


def _at_most_one(head: Head, name: str) -> str | None:
    found = head.headers.getall(name, [])
    if len(found) > 1:
        raise _bad(f"More than one {name} header")
    return found[0] if found else None


def _cookies(lines: list[str]) -> dict[str, str]:
    """Name → value; the first of a repeated name is the one of the longest path."""
    cookies: dict[str, str] = {}
    for pair in ";".join(lines).split(";"):
        name, separator, value = pair.strip(" \t").partition("=")
        if separator and name:
            cookies.setdefault(name, value.strip('"'))
    return cookies


def _bad(text: str) -> Refused:
    return Refused(400, text, "handshake")


def _is_key(text: str) -> bool:
    """Whether that is 16 bytes in base64, in the one way to spell them."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
        return False
    return len(raw) == 16 and base64.b64encode(raw).decode() == text
