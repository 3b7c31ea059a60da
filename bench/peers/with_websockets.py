"""The ``websockets`` library, with ``broadcast()`` as its documentation advises."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.peers.ticking import Work


async def main() -> None:
    work = Work()
    clients: set[ServerConnection] = set()

    async def handler(client: ServerConnection) -> None:
        clients.add(client)
        try:
            await client.wait_closed()
        finally:
            clients.remove(client)

    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await work.ticks(lambda: broadcast(clients, work.message()))


asyncio.run(main())
