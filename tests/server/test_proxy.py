"""The proxy of docs/rollout.md, as it is written there: nginx before this and an older server."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import websockets
from aiohttp import web

from tests.programs import program
from tests.server.conftest import receive, serving, until

DOCUMENT = Path(__file__).parents[2] / "docs" / "rollout.md"

AROUND = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{config}
}}
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def written(ours: int, older: int, port: int, folder: Path) -> str:
    """The document's configuration with these ports."""
    found = re.search(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    config = found[1]
    for said, real in (
        ("127.0.0.1:3004", f"127.0.0.1:{ours}"),
        ("127.0.0.1:3003", f"127.0.0.1:{older}"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
    ):
        assert said in config
        config = config.replace(said, real)
    user = "user root;" if os.getuid() == 0 else ""
    return AROUND.format(user=user, folder=folder, config=config)


async def answer(request: web.Request) -> web.StreamResponse:
    """The older service: it says its name."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("older")
        await socket.close()
        return socket
    return web.Response(text="older")


@asynccontextmanager
async def older_service() -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def proxied(ours: int, older: int, folder: Path) -> AsyncIterator[int]:
    nginx, port = program("nginx"), free_port()
    config = folder / "nginx.conf"
    config.write_text(written(ours, older, port, folder))
    process = await asyncio.create_subprocess_exec(nginx, "-p", str(folder), "-c", str(config))
    try:
        await until(lambda: process.returncode is not None or _open(port))
        assert process.returncode is None, (folder / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        await process.wait()


def _open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_the_documented_proxy_sends_everybody_where_it_says(
    fresh_url: str, tmp_path: Path
) -> None:
    program("nginx")
    trusted = {"port": 0, "drain_seconds": 8.0, "trusted_proxies": ["127.0.0.1/32"]}
    async with (
        serving(fresh_url, server=trusted) as server,
        older_service() as older,
        proxied(server.port, older, tmp_path) as port,
        aiohttp.ClientSession() as http,
    ):
        page = {"Origin": f"http://127.0.0.1:{port}"}
        url = f"ws://127.0.0.1:{port}/api/v69/ws/token-data"
        async with websockets.connect(url, additional_headers=page) as ws:
            await receive(ws, "connection_established")
            (conn,) = list(server.rooms.connections)
            assert conn.peer.address == "127.0.0.1"
            assert conn.peer.host == f"127.0.0.1:{port}"
            await receive(ws, "token_update")
        for name in ("ws", "v2/ws"):
            async with websockets.connect(f"ws://127.0.0.1:{port}/api/{name}/monitor") as ws:
                assert await ws.recv() == "older"
        async with http.get(f"http://127.0.0.1:{port}/api/v69/flags") as answered:
            assert await answered.json() == {"flags": {}}
        async with http.get(f"http://127.0.0.1:{port}/dashboard") as answered:
            assert await answered.text() == "older"
