"""aiohttp on uvloop: a set of sockets, ``send_str`` of all of them gathered."""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web

from bench.peers.ticking import Work


async def main() -> None:
    work = Work()
    clients: set[web.WebSocketResponse] = set()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(compress=False)
        await client.prepare(request)
        clients.add(client)
        try:
            async for _ in client:
                pass
        finally:
            clients.discard(client)
        return client

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print("port", runner.addresses[0][1], flush=True)
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + 1 / work.rate, loop.time() - 1.0)
        await asyncio.sleep(max(0.0, due - loop.time()))
        if work.going:
            text = work.message()
            await asyncio.gather(*[client.send_str(text) for client in clients])


uvloop.run(main())
