"""A server's life in the test's own process, over a real port and a real database."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import ssl
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import trustme
import websockets

from fastws.errors import StartError
from fastws.server import Server, demo
from fastws.store.pool import Database
from tests.identity.desk import Lines
from tests.server.conftest import (
    PATIENCE,
    bearer,
    configured,
    place,
    receive,
    serving,
    status_of,
    token_of,
    until,
)

# ── start ───────────────────────────────────────────────────────────────────────────────


async def test_it_is_ready_live_and_started(server: Server, http: aiohttp.ClientSession) -> None:
    for path in ("/livez", "/readyz", "/startupz", "/api/status", "/metrics", "/"):
        assert await status_of(http, server.url + path) == 200, path


async def test_it_is_not_ready_before_it_has_started(fresh_url: str) -> None:
    server = Server(configured(), fresh_url)
    assert server._not_ready() == "starting"
    assert server._not_started() == "starting"
    await server.stop()


async def test_what_is_there_at_the_start_is_no_longer_walked_by_the_collector(
    fresh_url: str,
) -> None:
    gc.unfreeze()
    async with serving(fresh_url):
        assert gc.get_freeze_count() > 1000


async def test_prices_reach_a_client(server: Server) -> None:
    async with websockets.connect(place(server, "token-data")) as ws:
        first = await receive(ws, "token_update")
        assert len(first["data"]) >= 20
        assert all(token["price"] > 0 for token in first["data"])


async def test_a_taken_port_is_one_sentence_and_leaves_nothing_running(fresh_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} .* is taken"):
            async with serving(fresh_url, server={"port": port}):
                pass
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not names & {"hub", "status", "market", "settings", "pings"}


async def test_a_database_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(StartError, match=r"^The database \(private\) cannot be used: .*\.$"):
        async with serving("postgresql://u:geheim@127.0.0.1:1/x"):
            pass


async def test_a_database_that_allows_nothing_is_one_sentence(fresh_url: str) -> None:
    owner = await asyncpg.connect(fresh_url)
    await owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC; DROP TABLE fastws_migrations")
    await owner.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(StartError, match="user may not"):
            async with serving(fresh_url.replace("//fastws@", "//guest@")):
                pass
    finally:
        await owner.execute("DROP ROLE guest")
        await owner.close()


async def test_figures_and_health_can_have_a_port_of_their_own(
    fresh_url: str, http: aiohttp.ClientSession
) -> None:
    async with serving(fresh_url, server={"ops_port": 0}) as server:
        ops = f"http://127.0.0.1:{server.ops_port}"
        for path in ("/metrics", "/livez", "/readyz", "/startupz"):
            assert await status_of(http, ops + path) == 200
            assert await status_of(http, server.url + path) == 404, "and no longer here"
        assert await status_of(http, ops + "/api/status") == 404


async def test_a_taken_operations_port_is_one_sentence(fresh_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"{port} for operations"):
            async with serving(fresh_url, server={"ops_port": port}):
                pass


# ── while it serves ─────────────────────────────────────────────────────────────────────


async def test_connections_are_recorded_when_they_begin_and_when_they_end(
    server: Server, database: Database, http: aiohttp.ClientSession
) -> None:
    async with websockets.connect(place(server, "token-data")) as ws:
        established = await receive(ws, "connection_established")
    await until(lambda: not len(server.rooms.connections))
    await server.rooms.recorded.flush()
    row = await server.rooms.database.fetchrow(
        "SELECT * FROM websocket_connections WHERE connection_id = $1",
        established["connectionId"],
    )
    assert row is not None
    assert row["close_code"] == 1000
    assert row["messages_sent"] >= 4
    assert set(row["subscribed_topics"]) == {"public.tokens", "public.market"}


async def test_a_logout_closes_the_sockets_of_that_session_and_no_other(server: Server) -> None:
    rooms = server.rooms
    login = await rooms.authority.log_in(demo.USER)
    claims = rooms.tokens.verify_session(login.session)
    ending = rooms.authority.socket_token(login.user, claims)
    other = await token_of(server, demo.USER)
    async with (
        websockets.connect(place(server, "monitor"), **bearer(ending)) as mine,
        websockets.connect(place(server, "monitor"), **bearer(other)) as theirs,
    ):
        await receive(mine, "connection_established")
        await receive(theirs, "connection_established")
        await rooms.authority.log_out(login.session)
        with pytest.raises(websockets.ConnectionClosed):
            await receive(mine, "never")
        assert (mine.close_code, mine.close_reason) == (4401, "Session revoked")
        await theirs.send('{"type":"heartbeat"}')
        await receive(theirs, "heartbeat_ack")


async def test_a_session_that_another_process_revokes_ends_here_too(server: Server) -> None:
    rooms = server.rooms
    login = await rooms.authority.log_in(demo.USER)
    claims = rooms.tokens.verify_session(login.session)
    token = rooms.authority.socket_token(login.user, claims)
    async with websockets.connect(place(server, "monitor"), **bearer(token)) as ws:
        await receive(ws, "connection_established")
        await rooms.database.execute(
            "INSERT INTO fastws_revoked_sessions (session_id, until)"
            " VALUES ($1, now() + interval '1 hour')",
            login.session_id,
        )
        with pytest.raises(websockets.ConnectionClosed):
            await receive(ws, "never")
        assert ws.close_code == 4401


async def test_without_the_database_it_stays_up_says_degraded_and_recovers(
    server: Server, postgres_url: str, http: aiohttp.ClientSession
) -> None:
    token = await token_of(server, demo.USER)
    name = await server.rooms.database.fetchval("SELECT current_database()")
    owner = await asyncpg.connect(postgres_url)
    async with websockets.connect(place(server, "monitor"), **bearer(token)) as ws:
        await receive(ws, "connection_established")
        try:
            await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            await until(lambda: not server.rooms.database.available)
            await ws.send('{"type":"get_system_status"}')
            frame = await receive(ws, "system_status")
            assert frame["data"]["status"] == "degraded"
            async with websockets.connect(place(server, "token-data")) as anonymous:
                assert len((await receive(anonymous, "token_update"))["data"]) >= 20
            async with websockets.connect(place(server, "monitor"), **bearer(token)) as late:
                with pytest.raises(websockets.ConnectionClosed):
                    await receive(late, "never")
                assert late.close_code == 1013, "try again, not: log in again"
            assert await status_of(http, server.url + "/livez") == 200
        finally:
            await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await owner.close()
        await until(lambda: server.rooms.database.available)
        await ws.send('{"type":"get_system_status"}')
        while (await receive(ws, "system_status"))["data"]["status"] != "online":
            await ws.send('{"type":"get_system_status"}')
    async with websockets.connect(place(server, "monitor"), **bearer(token)) as ws:
        await receive(ws, "connection_established")


# ── the end ─────────────────────────────────────────────────────────────────────────────


async def test_a_drain_tells_everybody_and_answers_503_meanwhile(
    server: Server, http: aiohttp.ClientSession
) -> None:
    clients = [await websockets.connect(place(server, "token-data")) for _ in range(20)]
    for ws in clients:
        await receive(ws, "connection_established")
    draining = asyncio.create_task(server.drain())
    for ws in clients:
        assert (await receive(ws, "drain"))["reconnect_after_ms"] >= 0
    assert await status_of(http, server.url + "/readyz") == 503
    assert await status_of(http, server.url + "/livez") == 200, "nobody should kill it"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(place(server, "token-data"))
    assert refused.value.response.status_code == 503
    assert "Retry-After" in refused.value.response.headers
    for ws in clients:
        await ws.wait_closed()
        assert (ws.close_code, ws.close_reason) == (1012, "Service restart")
    async with asyncio.timeout(PATIENCE):
        await draining


async def test_not_ready_is_said_at_once_on_a_connection_that_was_kept(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def ask(path: str) -> bytes:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
        return head.split(b" ")[1]

    assert await ask("/readyz") == b"200"
    ws = await websockets.connect(place(server, "token-data"))
    await receive(ws, "connection_established")
    draining = asyncio.create_task(server.drain())
    await asyncio.sleep(0)
    assert await ask("/readyz") == b"503"
    assert await ask("/livez") == b"200"
    assert (await receive(ws, "drain"))["deadline_ms"] > 0
    await ws.wait_closed()
    assert ws.close_code == 1012
    async with asyncio.timeout(PATIENCE):
        await draining
    writer.close()


def sockets() -> set[str]:
    """The sockets this process holds."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}


async def test_after_a_stop_nothing_is_left(fresh_url: str) -> None:
    tasks, before = asyncio.all_tasks(), sockets()
    async with serving(fresh_url, server={"ops_port": 0}) as server:
        assert len(asyncio.all_tasks()) > len(tasks)
        assert len(sockets()) > len(before)
        ws = await websockets.connect(place(server, "monitor"), **bearer(await token_of(server)))
        await receive(ws, "connection_established")
        async with aiohttp.ClientSession() as http:
            assert await status_of(http, f"http://127.0.0.1:{server.ops_port}/metrics") == 200
        await server.drain()
        await ws.wait_closed()
    await until(lambda: asyncio.all_tasks() == tasks)
    await until(lambda: sockets() <= before)


async def test_it_serves_pages_and_sockets_over_tls(fresh_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = {"ssl_certificate": str(tmp_path / "cert.pem"), "ssl_key": str(tmp_path / "key.pem")}
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(fresh_url, server=files) as server:
        assert server.url.startswith("https://")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{server.url}/readyz", ssl=trusting) as answer,
        ):
            assert answer.status == 200
        path = place(server, "token-data").replace("ws:", "wss:")
        async with websockets.connect(path, ssl=trusting) as ws:
            assert len((await receive(ws, "token_update"))["data"]) >= 20
            draining = asyncio.create_task(server.drain())
            await receive(ws, "drain")
            await ws.wait_closed()
            assert ws.close_code == 1012
        async with asyncio.timeout(PATIENCE):
            await draining


async def test_a_stop_without_a_drain_says_1001_and_frees_the_port(fresh_url: str) -> None:
    async with serving(fresh_url) as server:
        ws = await websockets.connect(place(server, "token-data"))
        await receive(ws, "connection_established")
        port = server.port
    await ws.wait_closed()
    assert (ws.close_code, ws.close_reason) == (1001, "Server shutting down")
    async with serving(fresh_url, server={"port": port}) as again:
        assert again.port == port


async def test_the_last_rows_are_written_by_the_stop(fresh_url: str, database: Database) -> None:
    async with serving(fresh_url) as server:
        ws = await websockets.connect(place(server, "test"))
        established = await receive(ws, "connection_established")
    await ws.wait_closed()
    owner = await asyncpg.connect(fresh_url)
    code = await owner.fetchval(
        "SELECT close_code FROM websocket_connections WHERE connection_id = $1",
        established["connectionId"],
    )
    await owner.close()
    assert code == 1001


async def test_a_stop_does_not_wait_for_a_request_that_hangs(fresh_url: str) -> None:
    async with serving(fresh_url) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /api/auth/dev-login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        await until(lambda: server._gateway is not None and server._gateway.open_sockets)
        async with asyncio.timeout(PATIENCE / 2):
            await server.stop()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_stop_does_not_wait_for_rows_that_cannot_be_written(
    fresh_url: str, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    async with serving(fresh_url) as server:
        monkeypatch.setattr(server.rooms.recorded, "flush", hang)
        async with asyncio.timeout(PATIENCE / 2):
            await server.stop()
    assert lines.of("server.rows_lost")


async def test_a_stop_is_harmless_twice_and_before_the_start(fresh_url: str) -> None:
    server = Server(configured(), fresh_url)
    await server.stop()
    await server.drain()
    async with serving(fresh_url) as started:
        await started.stop()
