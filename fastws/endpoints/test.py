"""``/test``: says hello and echoes, for people and for protocol test suites (wire.md A8).

What every endpoint answers it answers, too; anything else comes back as it was sent, text or
binary. With ``?raw`` in the address it says nothing of its own and echoes everything, which is
what a test suite that compares bytes expects.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Final

import orjson

from fastws import __version__, wire
from fastws.connection import Connection
from fastws.endpoint import Base, Endpoint, command
from fastws.errors import Close, Code, WireError
from fastws.wire import Message, Reply

__all__ = ["Test"]

RAW: Final = "raw"
"""Parameter of the address that asks for an echo and nothing else."""


class Test(Endpoint):
    """An echo."""

    __test__ = False  # not a test case, whatever its name

    path = "test"
    requires_auth = False
    public_channels = ("test",)

    def __init__(self, base: Base, connections: Callable[[], int]) -> None:
        super().__init__(base)
        self._connections = connections
        self._begun = base.clock()
        self.hub.stream("test/test")

    async def open(self, conn: Connection) -> None:
        """Nothing at all for a client that asked for that."""
        if RAW not in conn.query:
            await super().open(conn)

    def welcome(self, conn: Connection) -> Reply:
        """What server this is and what it allows here."""
        now, settings = self.clock(), self.base.settings
        return Reply(
            "welcome",
            message="Welcome to the Test WebSocket Server",
            time=wire.iso(now),
            connection_id=conn.id,
            authenticated=conn.identity.authenticated,
            server_info={
                "name": "fastws",
                "version": __version__,
                "python": platform.python_version(),
                "time": wire.iso(now),
                "uptime": round(now - self._begun, 3),
                "connections": self._connections(),
                "max_message": settings.max_message,
                "messages_per_minute": settings.messages_per_minute,
            },
        )

    async def handle(self, conn: Connection, data: bytes, binary: bool) -> None:
        """Answer what is known, echo the rest."""
        if RAW not in conn.query and self._is_known(data):
            await super().handle(conn, data, binary)
            return
        try:
            conn.charge()
        except WireError as error:
            conn.error(error)
            return
        (conn.push_binary if binary else conn.push)(data)

    def _is_known(self, data: bytes) -> bool:
        try:
            type_, _ = wire.open_envelope(data)
        except WireError:
            return False
        return type_ in self.commands

    async def dispatch(
        self, conn: Connection, type: str, id: int | str | None, data: bytes
    ) -> None:
        """Keep the message at hand: an echo needs more of it than a schema says."""
        conn.state = data
        try:
            await super().dispatch(conn, type, id, data)
        finally:
            conn.state = None

    @command("echo")
    async def echo(self, conn: Connection, msg: Message) -> Reply:
        """Comes back as ``original``, with the server's time."""
        try:
            original = orjson.loads(conn.state)
        except orjson.JSONDecodeError:
            text = Close.UNSUPPORTED.reason
            raise WireError(Code.INVALID_MESSAGE, text, close=Close.UNSUPPORTED) from None
        return Reply("echo", original=original, time=wire.iso(self.clock()))
