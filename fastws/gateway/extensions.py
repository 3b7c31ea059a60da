"""Whether a handshake's offer of permessage-deflate can be taken (RFC 7692 section 7.1).

Both sides forget their window after each message: only so can one compressed frame serve all
clients, and an idle connection holds no state. A smaller window for what we send would need a
compression of its own and is declined. An offer that is wrong in any way is declined, never an
error: the client then gets plain frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["negotiate"]

WINDOW_BITS: Final = "15"
"""The window of what we send, in bits; what clients send may use any."""

ANSWER: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf'({_WORD})(?:[ \t]*=[ \t]*(?:({_WORD})|"({_WORD})"))?')
_BITS: Final = re.compile(r"[89]|1[0-5]")


def negotiate(offers: Iterable[str]) -> str | None:
    """What to answer to the first good one of the offers, in the client's order; or None."""
    for offer in offers:
        name, *parameters = (part.strip(" \t") for part in offer.split(";"))
        if name == "permessage-deflate":
            asked = _read(parameters)
            if asked is not None and asked.get("server_max_window_bits") in (None, WINDOW_BITS):
                named = "server_max_window_bits" in asked
                return f"{ANSWER}; server_max_window_bits={WINDOW_BITS}" if named else ANSWER
    return None


def _read(parameters: Iterable[str]) -> dict[str, str | None] | None:
    """Parameter → value; None if one is unknown, repeated or has a value it may not have."""
    asked: dict[str, str | None] = {}
    for text in parameters:
        found = _PARAMETER.fullmatch(text)
        if found is None or found[1] in asked:
            return None
        value = found[2] or found[3]
        match found[1]:
            case "server_no_context_takeover" | "client_no_context_takeover":
                good = value is None
            case "server_max_window_bits":
                good = value is not None and _BITS.fullmatch(value) is not None
            case "client_max_window_bits":
                good = value is None or _BITS.fullmatch(value) is not None
            case _:
                good = False
        if not good:
            return None
        asked[found[1]] = value
    return asked
