"""What a whole server does when its database is gone, hangs or is killed, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import websockets

from bench.process import ServerProcess
from fastws.store.embedded import EmbeddedPostgres
from tests.e2e.conftest import CANARY_WALLET
from tests.server.conftest import PATIENCE, ended, receive

QUICK = {
    "MARKET_SOURCE": "simulated",
    "MARKET_TOKENS": "20",
    "MARKET_LIST_SECONDS": "0.1",
    "DATABASE_QUERY_SECONDS": "0.5",
    "DATABASE_CONNECT_SECONDS": "0.5",
}


@asynccontextmanager
async def client(
    server: ServerProcess, endpoint: str, token: str = ""
) -> AsyncIterator[websockets.ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    place = f"ws://127.0.0.1:{server.port}/api/v69/ws/{endpoint}"
    # Without a bound it reads on while the test looks elsewhere, and so hears of a close.
    async with websockets.connect(place, additional_headers=headers, max_queue=None) as ws:
        yield ws


async def becomes(monitor: websockets.ClientConnection, status: str) -> None:
    """The server pushes that status by itself: nobody asks."""
    while (await receive(monitor, "SERVER_STATUS_UPDATE"))["data"]["status"] != status:
        pass


async def moving(prices: websockets.ClientConnection) -> None:
    """Prices go on: three more lists, none like the one before."""
    lists = [(await receive(prices, "token_update"))["data"] for _ in range(3)]
    assert lists[0] != lists[1] != lists[2]


async def admitted(server: ServerProcess, token: str) -> bool:
    """Whether who needs the database is let in; else he is told to try later, nothing worse."""
    async with client(server, "monitor", token) as ws:
        try:
            await receive(ws, "connection_established")
        except websockets.ConnectionClosed:
            assert ws.close_code == 1013
            return False
    return True


# ── the database ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A database that is not the server's own."""
    made = EmbeddedPostgres(tmp_path)
    yield made
    made.stop()


async def test_it_outlives_its_database_and_finds_back_by_itself(
    elsewhere: EmbeddedPostgres,
) -> None:
    url = elsewhere.start()
    server = ServerProcess(**QUICK)
    server.environment["DATABASE_URL"] = url
    with server:
        token = server.token(CANARY_WALLET)
        async with client(server, "monitor", token) as monitor, client(server, "token-data") as ws:
            await receive(monitor, "connection_established")
            await receive(ws, "connection_established")
            elsewhere.stop()
            await becomes(monitor, "degraded")
            await moving(ws)
            assert not await admitted(server, token)
            async with client(server, "token-data") as late:
                number = (await receive(late, "connection_established"))["connectionId"]
            assert elsewhere.start() == url
            await becomes(monitor, "online")
            await moving(ws)
            assert await admitted(server, token)
        assert server.token(CANARY_WALLET) != token, "logins are back"
        assert await recorded(url, number) == 1000, "what happened meanwhile is written down"
        assert server.process.poll() is None
        assert "Traceback" not in server.log()


async def recorded(url: str, number: str) -> int:
    """The close code in the row of that connection, when it is there."""
    question = "SELECT close_code FROM websocket_connections WHERE connection_id = $1"
    owner = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE):
            while (code := await owner.fetchval(question, number)) is None:  # noqa: ASYNC110 - not ours
                await asyncio.sleep(0.05)
    finally:
        await owner.close()
    return int(code)


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


async def test_a_database_that_hangs_is_as_good_as_gone() -> None:
    with ServerProcess(**QUICK) as server:
        token = server.token(CANARY_WALLET)
        async with client(server, "monitor", token) as monitor, client(server, "token-data") as ws:
            await receive(monitor, "connection_established")
            await receive(ws, "connection_established")
            frozen = family(server.database_pid)
            assert len(frozen) > 3
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                await becomes(monitor, "degraded")
                await moving(ws)
                assert not await admitted(server, token)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            while not await admitted(server, token):
                pass
            await monitor.send('{"type":"get_system_status"}')
            assert (await receive(monitor, "system_status"))["data"]["status"] == "online"
        assert "Traceback" not in server.log()


async def test_a_database_that_hangs_does_not_hold_up_the_end() -> None:
    deadline = 30  # for ever is what it must not be; a busy machine may take its time
    with ServerProcess(**QUICK, SERVER_DRAIN_SECONDS="10") as server:
        async with client(server, "token-data") as ws:
            await receive(ws, "connection_established")
            frozen = family(server.database_pid)
            watched = [os.pidfd_open(pid) for pid in frozen]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                server.process.send_signal(signal.SIGTERM)
                await receive(ws, "drain")
                assert await asyncio.to_thread(server.process.wait, deadline) == 0
            finally:
                for pid in frozen:
                    with contextlib.suppress(ProcessLookupError):  # it was killed for good
                        os.kill(pid, signal.SIGCONT)
        for descriptor in watched:
            assert ended(descriptor), "what could not be killed goes as soon as it wakes up"


async def test_it_outlives_the_death_of_its_own_database_and_still_ends_well() -> None:
    with ServerProcess(**QUICK) as server:
        token = server.token(CANARY_WALLET)
        async with client(server, "monitor", token) as monitor, client(server, "token-data") as ws:
            await receive(monitor, "connection_established")
            await receive(ws, "connection_established")
            os.kill(server.database_pid, signal.SIGKILL)
            await becomes(monitor, "degraded")
            await moving(ws)
            server.process.send_signal(signal.SIGTERM)
            for each in (monitor, ws):
                await receive(each, "drain")
                await each.wait_closed()
                assert each.close_code == 1012
        assert server.process.wait(PATIENCE) == 0
        assert "Traceback" not in server.log()


# ── the process ─────────────────────────────────────────────────────────────────────────


def test_a_kill_leaves_no_process_of_the_database() -> None:
    with ServerProcess(**QUICK) as server:
        watched = [os.pidfd_open(pid) for pid in family(server.database_pid)]
        assert len(watched) > 3
        server.process.kill()
        server.process.wait(PATIENCE)
        assert [ended(descriptor) for descriptor in watched] == [True] * len(watched)


async def test_a_client_that_ignores_the_drain_does_not_hold_up_the_end() -> None:
    deadline = 25  # server.drain_seconds
    with ServerProcess(**QUICK) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /api/v69/ws/token-data HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b" 101 " in await reader.readline()
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, deadline) == 0
        told = await reader.read()
        assert b'"type":"drain"' in told
        assert b"\x03\xf4Service restart" in told, "1012"
        writer.close()


async def test_a_second_signal_ends_it_at_once() -> None:
    with ServerProcess(**QUICK) as server:
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(client(server, "token-data")) for _ in range(20)
            ]
            for ws in clients:
                await receive(ws, "connection_established")
            # It finds both when it goes on, so that no drain is quicker than the second one.
            server.process.send_signal(signal.SIGSTOP)
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGINT)
            server.process.send_signal(signal.SIGCONT)
            for ws in clients:
                await ws.wait_closed()
            codes = {ws.close_code for ws in clients}
        assert await asyncio.to_thread(server.process.wait, PATIENCE) == 0
        assert 1001 in codes
        assert codes <= {1001, 1012}
        assert "server.stopping_now" in server.log()
        assert "Traceback" not in server.log()
