"""The edge as a whole: TLS, admission and proxies on the wire, figures, and how it starts."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from fastws.errors import StartError
from tests.gateway.edge import PATH, edge, handshake

GET = b"GET /hello HTTP/1.1\r\nHost: fast.test\r\n\r\n"
LOCAL = ["127.0.0.1"]


# ── admission on the wire ───────────────────────────────────────────────────────────────────


async def busy(at: Any, **options: Any) -> str:
    """The sentence of a 503 that comes without anything having been sent."""
    client = await at.client(**options)
    status, headers, body = await client.answer()
    assert status == 503
    assert int(headers["retry-after"]) >= 1
    assert await client.rest() == b""
    return orjson.loads(body)["error"]


async def test_too_many_new_connections_of_an_address() -> None:
    async with edge(address_burst=3, address_rate=1) as at:
        for _ in range(3):
            await at.websocket()
        assert await busy(at) == "Too many new connections from your address"
        await at.websocket(source="127.0.0.2")
        at.clock.now += 1
        await at.websocket()
        assert at.gateway.refused == {"address_rate": 1}
        assert at.gateway.accepted == at.gateway.open_sockets == 5


async def test_too_many_open_connections_of_an_address() -> None:
    async with edge(address_connections=2) as at:
        first = await at.websocket()
        await at.client()
        assert await busy(at) == "Too many connections from your address"
        first.writer.transport.abort()
        await at.until(lambda: at.gateway.open_sockets == 1)
        await at.websocket()


async def test_the_cap_is_for_all() -> None:
    async with edge(max_connections=2) as at:
        await at.websocket()
        await at.client(source="127.0.0.2")
        assert await busy(at, source="127.0.0.3") == "Too many connections, try again later"
        assert at.gateway.refused == {"full": 1}
        assert at.gateway.most_sockets == 2


async def test_a_proxys_clients_are_limited_one_by_one() -> None:
    async with edge(proxies=LOCAL, address_connections=2, address_burst=100) as at:
        mine = {"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}
        for _ in range(2):
            client = await at.client(handshake(**mine))
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        # what is left of the client's address the client has made up
        again = {"X-Forwarded-For": "203.0.113.99, 198.51.100.7"}
        status, text = await at.refused(handshake(**again))
        assert (status, text) == (503, "Too many connections from your address")
        other = await at.client(handshake(**{"X-Forwarded-For": "198.51.100.8"}))
        assert (await other.head()).startswith(b"HTTP/1.1 101 ")
        assert {conn.peer.address for conn in at.door.connections} == {
            "198.51.100.7",
            "198.51.100.8",
        }
        client.writer.transport.abort()
        await at.until(lambda: at.gateway.open_sockets == 2)
        client = await at.client(handshake(**mine))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_contradicting_headers_are_no_way_around_the_limit() -> None:
    async with edge(proxies=LOCAL, address_connections=1) as at:
        for expected in (101, 503):
            lie = {"X-Forwarded-For": "198.51.100.7", "Forwarded": f"for=203.0.113.{expected}"}
            client = await at.client(handshake(**lie))
            assert (await client.answer())[0] == expected


async def test_a_proxy_that_forwards_pages_is_not_limited() -> None:
    async with edge(proxies=LOCAL, address_connections=1, address_burst=1) as at:
        for _ in range(5):
            client = await at.client(GET)
            assert (await client.answer())[0] == 200


async def test_the_own_origin_is_the_one_the_client_used() -> None:
    origin = {"Origin": "https://fast.test"}
    async with edge(proxies=LOCAL) as at:
        client = await at.client(handshake(**origin, **{"X-Forwarded-Proto": "https"}))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert at.door.connections[0].peer.secure
        assert (await at.refused(handshake(**origin)))[0] == 403
    async with edge() as at:  # nobody's word
        assert (await at.refused(handshake(**origin, **{"X-Forwarded-Proto": "https"})))[0] == 403


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certified(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The settings of a server that has a certificate."""
    issued = authority.issue_cert("fast.test")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    return {
        "ssl_certificate": str(tmp_path / "cert.pem"),
        "ssl_key": str(tmp_path / "key.pem"),
    }


def trusting(authority: trustme.CA) -> dict[str, Any]:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.configure_trust(context)
    return {"ssl": context, "server_hostname": "fast.test"}


async def test_pages_and_websockets_over_tls(
    authority: trustme.CA, certified: dict[str, str]
) -> None:
    async with edge(server=certified) as at:
        client = await at.client(GET, **trusting(authority))
        assert (await client.answer())[0] == 200
        await client.send(handshake(Origin="https://fast.test"))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.echo(b"x" * 20_000)
        assert at.door.connections[0].peer.secure
        chosen = client.writer.get_extra_info("ssl_object").selected_alpn_protocol()
        assert chosen == "http/1.1"
        fresh = await at.client(handshake(), **trusting(authority))
        assert (await fresh.head()).startswith(b"HTTP/1.1 101 ")
        await fresh.echo()


async def test_a_refusal_over_tls_is_read_whole(
    authority: trustme.CA, certified: dict[str, str]
) -> None:
    async with edge(server=certified) as at:
        refused = await at.refused(handshake("/nowhere"), **trusting(authority))
        assert refused == (404, "Not found")
        await at.until(lambda: at.gateway.open_sockets == 0)


async def test_a_tls_handshake_is_bounded_in_time(certified: dict[str, str]) -> None:
    async with edge(server=certified, head_seconds=0.2) as at:
        client = await at.client(b"\x16\x03\x01")
        assert at.gateway.port
        assert await client.rest() == b""
        await at.until(lambda: at.gateway.open_sockets == 0)
        assert at.gateway.refused["tls"] == 1


async def test_plain_text_on_a_tls_port_ends(certified: dict[str, str]) -> None:
    async with edge(server=certified) as at:
        client = await at.client(GET)
        assert b"HTTP" not in await client.rest()
        await at.until(lambda: at.gateway.refused["tls"] == 1)
        assert at.gateway.open_sockets == 0


async def test_over_the_limit_a_tls_client_costs_no_handshake(certified: dict[str, str]) -> None:
    async with edge(server=certified, address_connections=1) as at:
        await at.client()
        client = await at.client()
        assert await client.rest() == b""
        assert at.gateway.refused == {"address_count": 1}


async def test_stopping_ends_tls_handshakes(certified: dict[str, str]) -> None:
    async with edge(server=certified) as at:
        client = await at.client(b"\x16\x03\x01")
        await at.until(lambda: at.gateway.open_sockets == 1)
        await at.gateway.stop()
        assert at.gateway.open_sockets == 0
        assert await client.rest() == b""


# ── starting ────────────────────────────────────────────────────────────────────────────────


async def test_certificates_that_are_none(certified: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "garbage.pem").write_text("garbage")
    for wrong, sentence in (
        ({"ssl_certificate": str(tmp_path / "garbage.pem")}, "are not a PEM certificate"),
        ({"ssl_key": str(tmp_path / "garbage.pem")}, "are not a PEM certificate"),
        ({"ssl_key": certified["ssl_certificate"]}, "are not a PEM certificate"),
        ({"ssl_key": str(tmp_path / "missing.pem")}, "Cannot read"),
    ):
        with pytest.raises(StartError, match=sentence):
            async with edge(server=certified | wrong):
                pytest.fail("it started")


async def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} on 127.0.0.1 is taken"):
            async with edge(server={"port": port}):
                pytest.fail("it started")


async def test_an_ipv6_client_is_served_and_limited() -> None:
    async with edge(server={"host": "::1"}, address_connections=1) as at:
        reader, writer = await asyncio.open_connection("::1", at.gateway.port)
        writer.write(handshake(PATH + "?raw"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert at.door.connections[0].peer.address == "::1"
        other, closing = await asyncio.open_connection("::1", at.gateway.port)
        assert (await other.read()).startswith(b"HTTP/1.1 503 ")
        for each in (writer, closing):
            each.close()


async def test_both_families_are_served_by_one_socket() -> None:
    async with edge(server={"host": "::"}) as at:
        client = await at.websocket()
        assert at.door.connections[0].peer.address == "127.0.0.1", "not the form inside IPv6"
        await client.echo()
