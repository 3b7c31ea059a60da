"""A request head: bytes in, fields out, or a refusal. No sockets, no clock.

Stricter than RFC 9112 lets a server be, since whatever two parsers read differently is a
hole: no folded lines, no bare CR or LF, no NUL, no white space around a name, printable ASCII
targets only.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct
from multidict import CIMultiDict

from fastws.gateway.answers import Refused

__all__ = ["END", "Head", "malformed", "parse", "tokens"]

END: Final = b"\r\n\r\n"

_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE: Final = re.compile(rf"({_NAME}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])".encode())
_FIELD: Final = re.compile(rf"({_NAME}):[ \t]*([\t\x20-\x7e\x80-\xff]*)".encode())
_IS_NAME: Final = re.compile(_NAME)
_BROKEN: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")
_FIRST: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")


class Head(Struct, frozen=True):
    """A request line and its fields."""

    method: str
    target: str
    version: tuple[int, int]
    headers: CIMultiDict[str]

    @property
    def wants_websocket(self) -> bool:
        """Whether the client asks to speak WebSocket from here on (RFC 9110 section 7.8)."""
        return "upgrade" in tokens(self, "Connection") and "websocket" in tokens(self, "Upgrade")


def malformed(data: bytes | bytearray, start: int) -> bool:
    """Whether an unfinished head can only become a bad one; ``start``: looked at already."""
    return not _FIRST.match(data) or _BROKEN.search(data, max(0, start - 1)) is not None


def parse(data: bytes) -> Head:
    """The fields of a head, given without its last empty line; raises `Refused`."""
    first, *rest = data.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise _bad("The request line is malformed")
    version = int(line[3]), int(line[4])
    if version not in ((1, 0), (1, 1)):
        raise Refused(505, "This server speaks HTTP/1.1", "version")
    headers: CIMultiDict[str] = CIMultiDict()
    for text in rest:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise _bad("A header line is malformed")
        headers.add(field[1].decode("ascii"), field[2].rstrip(b" \t").decode("latin-1"))
    if len(headers.getall("Host", ())) > 1:
        raise _bad("More than one Host header")
    return Head(line[1].decode("ascii"), line[2].decode("ascii"), version, headers)


def tokens(head: Head, name: str) -> list[str]:
    """The entries of a comma list in lower case, over all its lines."""
    return [entry.lower() for entry in entries(head, name)]


def entries(head: Head, name: str) -> list[str]:
    """The entries of a comma list as spelled, over all its lines; empty ones left out."""
    listed = ",".join(head.headers.getall(name, ()))
    return [entry for part in listed.split(",") if (entry := part.strip(" \t"))]


def is_token(text: str) -> bool:
    """Whether it is a token of RFC 9110 section 5.6.2."""
    return _IS_NAME.fullmatch(text) is not None


def _bad(text: str) -> Refused:
    return Refused(400, text, "malformed")
