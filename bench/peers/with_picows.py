"""picows from Python: one ``send`` for each update and follower, or for each client."""

from __future__ import annotations

from collections import defaultdict

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.peers.ticking import Work, rows_of


class Client(WSListener):  # type: ignore[misc]
    def __init__(self, server: Server, index: int) -> None:
        self._server, self._index = server, index

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._server.clients.append(transport)
        for token in rows_of(self._index, self._server.work.rows):
            self._server.followers[token].append(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        pass


class Server:
    def __init__(self) -> None:
        self.work = Work()
        self.clients: list[WSTransport] = []
        self.followers: dict[int, list[WSTransport]] = defaultdict(list)

    def tick(self) -> None:
        if self.work.kind == "same":
            data = self.work.message().encode()
            for transport in self.clients:
                transport.send(WSMsgType.TEXT, data)
            return
        for token, text in self.work.changed():
            data = text.encode()
            for transport in self.followers[token]:
                transport.send(WSMsgType.TEXT, data)

    async def main(self) -> None:
        def factory(request: WSUpgradeRequest) -> Client:
            return Client(self, int(request.path.decode().rpartition("=")[2] or 0))

        server = await ws_create_server(factory, "127.0.0.1", 0, backlog=1024)
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await self.work.ticks(self.tick)


uvloop.run(Server().main())
