"""Where a server is: one text from a user, or host and port, to the URLs of its routes."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlsplit

__all__ = ["PREFIX", "Address"]

PREFIX = "/api/v69/ws/"


class Address(NamedTuple):
    """A server; ``prefix`` is what a proxy puts before its paths."""

    host: str
    port: int
    secure: bool = False
    prefix: str = ""

    @classmethod
    def parse(cls, text: str, port: int = 3004) -> Address:
        """From ``host``, ``host:port`` or any URL of the server; `ValueError` if it is none."""
        if "://" not in text:
            text = f"http://{text}" if ":" in text.rpartition("]")[2] else f"http://{text}:{port}"
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"{text} is no address of a server")
        secure = parts.scheme in ("https", "wss")
        prefix = parts.path.partition("/api/")[0].rstrip("/")
        return cls(parts.hostname, parts.port or (443 if secure else 80), secure, prefix)

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return host + ("" if self.port == usual else f":{self.port}") + self.prefix

    @property
    def http(self) -> str:
        """The base of HTTP routes, without a slash at its end."""
        return f"http{'s' if self.secure else ''}://{self._place}"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine by its name."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def socket(self, endpoint: str, channel: str | None = None) -> str:
        """The URL of an endpoint's WebSocket."""
        query = f"?channel={quote(channel, safe='')}" if channel else ""
        return f"ws{'s' if self.secure else ''}://{self._place}{PREFIX}{endpoint}{query}"
