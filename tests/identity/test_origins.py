"""Origins: the server's own and the listed ones, exactly, and nothing that looks like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.identity import OriginRule

OWN = "https://ws.degenduel.me"
LISTED = ["https://degenduel.me", "https://dev.degenduel.me:8443", "http://localhost:3000"]
RULE = OriginRule(LISTED)

JUDGED: list[tuple[str, bool]] = [
    # the very ones
    ("https://ws.degenduel.me", True),
    ("https://degenduel.me", True),
    ("https://dev.degenduel.me:8443", True),
    ("http://localhost:3000", True),
    # the same written otherwise (RFC 6454: case of scheme and host, default port)
    ("HTTPS://DegenDuel.me", True),
    ("https://degenduel.me:443", True),
    ("https://ws.degenduel.me:443", True),
    # another scheme or port
    ("http://degenduel.me", False),
    ("http://degenduel.me:443", False),
    ("https://degenduel.me:8443", False),
    ("https://dev.degenduel.me", False),
    ("https://localhost:3000", False),
    ("http://localhost", False),
    ("ws://degenduel.me", False),
    ("wss://ws.degenduel.me", False),
    # names that begin, end or look like it
    ("https://www.degenduel.me", False),
    ("https://degenduel.me.evil.example", False),
    ("https://evildegenduel.me", False),
    ("https://degenduel.mex", False),
    ("https://degenduel.me.", False),
    ("https://degenduel.\uff4de", False),
    ("http://127.0.0.1:3000", False),
    # parts that an origin does not have
    ("https://degenduel.me/", False),
    ("https://degenduel.me/https://evil.example", False),
    ("https://evil.example/?https://degenduel.me", False),
    ("https://degenduel.me@evil.example", False),
    ("https://evil.example#https://degenduel.me", False),
    ("https://degenduel.me:", False),
    ("https://degenduel.me:0", False),
    ("https://degenduel.me:99999", False),
    ("https://degenduel.me:443x", False),
    ("https://degenduel.me\\.evil.example", False),
    ("https://degenduel.me, https://evil.example", False),
    ("https://degenduel.me https://evil.example", False),
    (" https://degenduel.me", False),
    ("https://degenduel.me\t", False),
    # no origin at all
    ("null", False),
    ("", False),
    ("*", False),
    ("https://*.degenduel.me", False),
    ("degenduel.me", False),
    ("//degenduel.me", False),
    ("https://", False),
    ("file://", False),
    ("https:degenduel.me", False),
    ("https://[::1", False),
]


def test_thirty_origins_at_least() -> None:
    assert len({origin for origin, _ in JUDGED}) == len(JUDGED) >= 30


@pytest.mark.parametrize(("origin", "allowed"), JUDGED)
@pytest.mark.parametrize("has_cookie", [False, True])
def test_an_origin_is_judged_right(origin: str, allowed: bool, has_cookie: bool) -> None:
    assert RULE.allows(origin, OWN, has_cookie) is allowed


def test_without_an_origin_it_is_no_browser_unless_it_has_a_cookie() -> None:
    assert RULE.allows(None, OWN, has_cookie=False)
    assert not RULE.allows(None, OWN, has_cookie=True)


def test_an_empty_list_leaves_the_servers_own() -> None:
    rule = OriginRule([])
    assert rule.allows("http://127.0.0.1:3004", "http://127.0.0.1:3004", has_cookie=True)
    assert not rule.allows("http://127.0.0.1:3005", "http://127.0.0.1:3004", has_cookie=True)
    assert rule.allows("http://[::1]:3004", "http://[::1]:3004", has_cookie=False)


def test_an_own_origin_that_is_none_equals_nothing() -> None:
    for own in ("", "null", "http://", "http://a b"):
        assert not OriginRule([]).allows(own, own, has_cookie=False)


def test_entries_of_the_list_that_are_no_origins_allow_nothing() -> None:
    rule = OriginRule(["*", "null", "", "https://a.example/path"])
    for origin in ("*", "null", "", "https://a.example", "https://a.example/path"):
        assert not rule.allows(origin, OWN, has_cookie=False)


@given(st.text())
def test_only_listed_texts_pass(origin: str) -> None:
    passed = RULE.allows(origin, OWN, has_cookie=False)
    assert not passed or origin.lower().removesuffix(":443") in [OWN, *LISTED]
