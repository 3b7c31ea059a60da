"""Which web pages may connect: exact ``scheme://host[:port]``, nothing looser."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["OriginRule"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginRule:
    """The server's own origin and an allow-list (wire.md A2, RFC 6454)."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(filter(None, map(_canonical, allowed)))

    def allows(self, origin: str | None, own: str, has_cookie: bool) -> bool:
        """Whether a handshake of that ``Origin`` may go on.

        ``own`` is the origin under which the client reached this server. Without an Origin
        it is no browser, and it is let in unless it carries a cookie: then it would be one.
        """
        if origin is None:
            return not has_cookie
        return self.lists(origin, own)

    def lists(self, origin: str, own: str) -> bool:
        """Whether ``origin`` is the server's own or on the list (used for CORS, too)."""
        asked = _canonical(origin)
        return asked is not None and (asked in self._allowed or asked == _canonical(own))


def _canonical(origin: str) -> str | None:
    """``scheme://host:port`` in lower case with its port written out; None if it is none."""
    scheme, separator, rest = origin.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS or not rest.isascii():
        return None
    if any(character in rest for character in "/?#@\\ \t\r\n%*,"):
        return None
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or rest.endswith(":") or port == 0:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}:{port or _DEFAULT_PORTS[scheme]}"
