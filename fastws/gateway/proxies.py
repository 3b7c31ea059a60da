"""Who is the peer really, when proxies we trust stand in between (RFC 7239).

Each proxy writes down whom it was called by, at the right of what it was told. So the list is
walked from the right, through the proxies we trust, to the first address we do not: what
stands left of it anybody may have invented.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from multidict import MultiMapping

from fastws.connection import Peer
from fastws.errors import ConfigError
from fastws.identity.addresses import parse_address

__all__ = ["Proxies"]

USER_AGENT: Final = 512
"""Characters kept of what a client calls itself."""

_SECURE: Final = {"http": False, "ws": False, "https": True, "wss": True}
_HOST: Final = re.compile(
    r"[A-Za-z0-9._\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
_PAIR: Final = re.compile(
    r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([^\s\",;]+)|\"((?:[^\"\\]|\\.)*)\")[ \t]*([,;]|\Z)"
)


class _Hop(NamedTuple):
    """What one proxy says of whoever called it."""

    node: str = ""
    proto: str = ""
    host: str = ""


class Proxies:
    """The networks whose word is taken for whom they forward."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [_network(text) for text in networks]

    def trusts(self, address: str) -> bool:
        """Whether that is a proxy of ours."""
        parsed = parse_address(address)
        return parsed is not None and self._trusted(parsed)

    def forwards(self, address: str, headers: MultiMapping[str]) -> bool:
        """Whether a proxy of ours speaks for somebody, believable or not."""
        named = "X-Forwarded-For" in headers or "Forwarded" in headers
        return named and self.trusts(address)

    def peer(self, address: str, secure: bool, headers: MultiMapping[str]) -> Peer:
        """The client behind a request that came from ``address``, over TLS or not.

        ``headers`` must be all of them: a proxy may add a line rather than to a line.
        """
        direct = parse_address(address)
        peer = Peer(
            address=address if direct is None else str(direct),
            user_agent=headers.get("User-Agent", "")[:USER_AGENT],
            origin=headers.get("Origin"),
            secure=secure,
            host=headers.get("Host", ""),
        )
        if direct is None or not self._trusted(direct):
            return peer
        said = [hops for hops in (_listed(headers), _standard(headers)) if hops]
        found = [self._walk(peer, hops) for hops in said]
        # A proxy writes one kind of header and lets the other pass as the client sent it. If
        # they contradict each other nobody can tell which is which, and neither is believed.
        if not found or any(other.address != found[0].address for other in found):
            return peer
        return found[0]

    def _walk(self, peer: Peer, hops: Sequence[_Hop]) -> Peer:
        for hop in reversed(hops):
            address = _address(hop.node)
            peer = Peer(
                address=peer.address if address is None else str(address),
                user_agent=peer.user_agent,
                origin=peer.origin,
                secure=_SECURE.get(hop.proto.lower(), peer.secure),
                host=hop.host if _HOST.fullmatch(hop.host) else peer.host,
            )
            if address is None or not self._trusted(address):
                break
        return peer

    def _trusted(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"server.trusted_proxies: {text!r} is not a network like 10.0.0.0/8 or fd00::/8."
        ) from None


def _listed(headers: MultiMapping[str]) -> list[_Hop]:
    """The X-Forwarded-* headers. A proto or host that is said once is the nearest proxy's."""
    nodes = _split(headers, "X-Forwarded-For")
    protos = _split(headers, "X-Forwarded-Proto")
    hosts = _split(headers, "X-Forwarded-Host")
    if not nodes and (protos or hosts):
        nodes = [""]
    return [
        _Hop(node, _matching(protos, at, len(nodes)), _matching(hosts, at, len(nodes)))
        for at, node in enumerate(nodes)
    ]


def _matching(values: list[str], at: int, count: int) -> str:
    if len(values) == count:
        return values[at]
    return values[-1] if values else ""


def _split(headers: MultiMapping[str], name: str) -> list[str]:
    lines: list[str] = headers.getall(name, [])
    return [part.strip() for line in lines for part in line.split(",")] if lines else []


def _standard(headers: MultiMapping[str]) -> list[_Hop]:
    """The Forwarded header; nothing if it is malformed anywhere."""
    lines: list[str] = headers.getall("Forwarded", [])
    text = ",".join(lines)
    hops: list[_Hop] = []
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return []
        value = pair[2] if pair[2] is not None else re.sub(r"\\(.)", r"\1", pair[3])
        if fields.setdefault(pair[1].lower(), value) is not value:
            return []
        at = pair.end()
        if pair[4] != ";":
            hops.append(
                _Hop(fields.get("for", ""), fields.get("proto", ""), fields.get("host", ""))
            )
            fields = {}
    return hops


def _address(node: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of ``a.b.c.d[:port]``, ``[v6][:port]`` or a bare IPv6 address."""
    if node.startswith("["):
        node = node[1:].partition("]")[0]
    elif node.count(":") == 1:
        node = node.partition(":")[0]
    return parse_address(node)
