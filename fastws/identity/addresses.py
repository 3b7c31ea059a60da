"""Network addresses as others write them, and what an address is limited by."""

from __future__ import annotations

import ipaddress

__all__ = ["address_key", "parse_address"]

SUBSCRIBER = 64
"""Leading bits of an IPv6 address that one subscriber owns whole."""


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, None if it is none; an IPv4 address inside an IPv6 one is the former."""
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def address_key(address: str) -> str:
    """What an address is limited by: itself, or its /64; a text that is no address, itself."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, SUBSCRIBER), strict=False))
