"""Addresses as others write them."""

from __future__ import annotations

import pytest

from fastws.identity.addresses import address_key, parse_address


def test_what_an_address_is_limited_by() -> None:
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1") == "2001:db8::/64"
    assert address_key("2001:db8:0:1::1") != address_key("2001:db8::1")
    assert address_key("fe80::1%eth0") == "fe80::/64"
    assert address_key("unix") == "unix"


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4/8"]
)
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_an_address_has_one_form() -> None:
    assert str(parse_address("::FFFF:10.0.0.1")) == "10.0.0.1"
    assert str(parse_address("2001:DB8:0::1")) == "2001:db8::1"
    assert str(parse_address("fe80::1%eth0")) == "fe80::1"
