"""A thousand connects to a server of 256 descriptors: told so, survived, over when it is over."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.edge import PATIENCE, Client, handshake

ROOT = Path(__file__).parents[2]
CONNECTS = 1000


class Server:
    """The child process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def figures(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.process.stdout.readline())

    async def client(self) -> Client:
        made = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        await made.send(handshake())
        assert (await made.head()).startswith(b"HTTP/1.1 101 ")
        return made


@asynccontextmanager
async def served(most: int) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.child", str(most),
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        port = int(await process.stdout.readline())
    try:
        yield Server(process, port)
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0, "it ended as it should"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Enough of them in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTS + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def attack(port: int) -> tuple[list[socket.socket], int]:
    """A thousand connects that send nothing; those still open, and how many read a 503."""
    loop = asyncio.get_running_loop()
    sockets: list[socket.socket] = []
    for _ in range(CONNECTS):
        made = socket.socket()
        made.setblocking(False)
        sockets.append(made)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(loop.sock_connect(made, ("127.0.0.1", port)) for made in sockets))
    held, told = [], 0
    for made in sockets:
        try:
            answer = made.recv(4096)
        except BlockingIOError:
            held.append(made)
            continue
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        told += 1
        made.close()
    return held, told


@pytest.mark.parametrize("most", [0, 100_000])
async def test_a_healthy_client_is_served_the_rest_is_told_and_all_recovers(most: int) -> None:
    async with served(most) as server:
        healthy = await server.client()
        begun = asyncio.create_task(attack(server.port))
        while not begun.done():
            await healthy.echo(b"during")
        held, told = await begun
        await healthy.echo(b"after")
        figures = await server.figures()
        while figures["open"] + sum(figures["refused"].values()) < CONNECTS + 1:
            figures = await server.figures()  # it has not come to all of them yet
        late = sum(1 for made in held if _told(made))
        assert figures["open"] + told + late == CONNECTS + 1
        assert told + late > CONNECTS - 256
        if most == 0:
            assert figures["open"] == figures["most"] == 256 - 64
            assert figures["refused"] == {"full": told + late}
            assert figures["descriptors"] <= 256 - 32, "there is room for files and database"
        else:
            assert figures["refused"] == {"descriptors": told + late}
        for made in held:
            made.close()
        while (await server.figures())["open"] > 1:
            pass  # it has not seen them all go yet
        again = await server.client()
        await again.echo(b"recovered")
        await healthy.echo(b"still here")
        again.close()
        healthy.close()


def _told(made: socket.socket) -> bool:
    try:
        return made.recv(4096).startswith(b"HTTP/1.1 503 ")
    except BlockingIOError:
        return False
