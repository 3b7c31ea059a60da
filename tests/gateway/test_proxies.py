"""Who is the peer really: what proxies say, and what others say that they said."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from fastws.errors import ConfigError
from fastws.gateway import Proxies

OURS = Proxies(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
PROXY, FAR, CLIENT, FAKE = "10.0.0.1", "10.9.9.9", "198.51.100.7", "203.0.113.9"


def peer(*lines: tuple[str, str], address: str = PROXY, secure: bool = False) -> tuple:
    found = OURS.peer(address, secure, CIMultiDict([("Host", "own.test"), *lines]))
    return found.address, found.secure, found.host


def xff(value: str) -> tuple[str, str]:
    return ("X-Forwarded-For", value)


def forwarded(value: str) -> tuple[str, str]:
    return ("Forwarded", value)


def test_a_stranger_is_not_believed() -> None:
    lines = (xff(FAKE), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"))
    assert peer(*lines, address=CLIENT) == (CLIENT, False, "own.test")
    assert peer(forwarded(f"for={FAKE};proto=https"), address=CLIENT) == (CLIENT, False, "own.test")


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([xff(CLIENT)], CLIENT),
        ([xff(f"{FAKE}, {CLIENT}")], CLIENT),
        ([xff(f"{FAKE}, {CLIENT}, {FAR}")], CLIENT),
        ([xff(FAKE), xff(CLIENT)], CLIENT),  # a proxy that adds a line of its own
        ([xff(f"{FAKE},{CLIENT}"), xff(FAR)], CLIENT),
        ([xff(FAR)], FAR),
        ([xff(f"{FAR}, 10.8.8.8")], FAR),
        ([xff(f"{CLIENT}:4711")], CLIENT),
        ([xff("[2001:db8::1]:4711")], "2001:db8::1"),
        ([xff("2001:DB8::1")], "2001:db8::1"),
        ([xff(f"::ffff:{CLIENT}")], CLIENT),
        ([xff(f"{CLIENT}, fd00::1")], CLIENT),
        ([xff(f"{CLIENT}, ::ffff:10.0.0.2")], CLIENT),
        ([forwarded(f"for={CLIENT}")], CLIENT),
        ([forwarded(f"For={FAKE}, FOR={CLIENT};by=10.0.0.1, for={FAR}")], CLIENT),
        ([forwarded('for="[2001:db8::1]:80"')], "2001:db8::1"),
        ([forwarded(f"for={FAKE}"), forwarded(f"for={CLIENT}")], CLIENT),
        ([xff(CLIENT), forwarded(f"for={CLIENT}")], CLIENT),
    ],
)
def test_the_first_address_that_is_not_ours(lines: list[tuple[str, str]], address: str) -> None:
    assert peer(*lines)[0] == address


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [xff("")],
        [xff("unknown")],
        [xff("garbage")],
        [xff(f"{CLIENT}, garbage")],
        [xff(f"{CLIENT},")],
        [forwarded("for=unknown")],
        [forwarded("for=_hidden")],
        [forwarded(f"for={CLIENT}; oops")],
        [forwarded(f'for="{CLIENT}')],
        [forwarded(f"for={CLIENT};for={FAKE}")],
        [forwarded("nonsense")],
        [xff(CLIENT), forwarded(f"for={FAKE}")],  # one of them the client has made up
    ],
)
def test_what_cannot_be_believed_leaves_the_proxy(lines: list[tuple[str, str]]) -> None:
    assert peer(*lines)[0] == PROXY


def test_garbage_left_of_a_proxy_leaves_that_proxy() -> None:
    assert peer(xff(f"{FAKE}, garbage, {FAR}"))[0] == FAR


@pytest.mark.parametrize(
    ("lines", "secure", "host"),
    [
        ([("X-Forwarded-Proto", "https")], True, "own.test"),
        ([("X-Forwarded-Proto", "WSS")], True, "own.test"),
        ([("X-Forwarded-Proto", "gopher")], False, "own.test"),
        ([xff(CLIENT), ("X-Forwarded-Proto", "https")], True, "own.test"),
        ([xff(f"{CLIENT}, {FAR}"), ("X-Forwarded-Proto", "https, http")], True, "own.test"),
        ([xff(f"{FAKE}, {CLIENT}"), ("X-Forwarded-Proto", "https, http")], False, "own.test"),
        ([xff(CLIENT), ("X-Forwarded-Host", "degenduel.me")], False, "degenduel.me"),
        ([xff(CLIENT), ("X-Forwarded-Host", "a b")], False, "own.test"),
        ([xff(CLIENT), ("X-Forwarded-Host", "evil.example, [::1]:80")], False, "[::1]:80"),
        ([forwarded(f"for={CLIENT};proto=https;host=degenduel.me")], True, "degenduel.me"),
        ([forwarded('for=_x;proto=https;host="a.b:81"')], True, "a.b:81"),
    ],
)
def test_scheme_and_host(lines: list[tuple[str, str]], secure: bool, host: str) -> None:
    assert peer(*lines)[1:] == (secure, host)


def test_tls_of_our_own_counts_unless_a_proxy_says_otherwise() -> None:
    assert peer(address=CLIENT, secure=True)[1] is True
    assert peer(secure=True)[1] is True
    assert peer(("X-Forwarded-Proto", "http"), secure=True)[1] is False


def test_who_is_trusted() -> None:
    assert OURS.trusts("10.1.2.3")
    assert OURS.trusts("::ffff:10.1.2.3")
    assert OURS.trusts("192.0.2.7")
    assert not OURS.trusts("192.0.2.8")
    assert not OURS.trusts("")
    assert not Proxies([]).trusts("127.0.0.1")


def test_a_peer_has_one_form_and_what_it_calls_itself_is_cut() -> None:
    headers = CIMultiDict({"Origin": "https://a.example", "User-Agent": "x" * 9999})
    found = OURS.peer("::ffff:198.51.100.7", False, headers)
    assert (found.address, found.origin) == (CLIENT, "https://a.example")
    assert found.user_agent == "x" * 512


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/33", "", "10.0.0"])
def test_a_network_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.trusted_proxies: .* is not a network"):
        Proxies([text])
