"""From what a user types to the URLs of the routes."""

from __future__ import annotations

import pytest

from fastws.client import Address


@pytest.mark.parametrize(
    ("text", "http", "socket"),
    [
        ("localhost", "http://localhost:3004", "ws://localhost:3004/api/v69/ws/x"),
        ("localhost:99", "http://localhost:99", "ws://localhost:99/api/v69/ws/x"),
        ("http://h:80", "http://h", "ws://h/api/v69/ws/x"),
        ("https://h", "https://h", "wss://h/api/v69/ws/x"),
        ("wss://h:8443/api/v69/ws/monitor?x=1", "https://h:8443", "wss://h:8443/api/v69/ws/x"),
        ("https://h/games/", "https://h/games", "wss://h/games/api/v69/ws/x"),
        ("https://h/games/api/v69/ws/x", "https://h/games", "wss://h/games/api/v69/ws/x"),
        ("[::1]", "http://[::1]:3004", "ws://[::1]:3004/api/v69/ws/x"),
        ("[::1]:5", "http://[::1]:5", "ws://[::1]:5/api/v69/ws/x"),
    ],
)
def test_addresses(text: str, http: str, socket: str) -> None:
    address = Address.parse(text)
    assert (address.http, address.socket("x")) == (http, socket)


def test_a_channel_is_quoted() -> None:
    url = Address("h", 80).socket("token-data", "token.$WIF/USD")
    assert url == "ws://h/api/v69/ws/token-data?channel=token.%24WIF%2FUSD"


@pytest.mark.parametrize("text", ["", "ftp://h", "http://", "http://h:port"])
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - urlsplit's or ours
        Address.parse(text)


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.0.0.9", True), ("::1", True), ("h", False)]
)
def test_this_machine(host: str, here: bool) -> None:
    assert Address(host, 1).loopback is here
