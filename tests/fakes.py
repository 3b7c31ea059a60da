"""Stand-ins that let an endpoint be tested without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from fastws._core.line import Cork, Line
from fastws.broker import MemoryBroker
from fastws.config import DatabaseConfig, EndpointConfig, LimitsConfig
from fastws.connection import Allowances, Connection, Peer
from fastws.domain.flags import Flags
from fastws.endpoint import Base
from fastws.hub import Hub
from fastws.identity import ANONYMOUS, Identity, Role
from fastws.metrics import Stats
from fastws.store.flags import FlagRows
from fastws.store.pool import Database


def frame_size(data: bytes) -> int:
    """Bytes of the first frame of what a server wrote; 0 while it is not whole."""
    if len(data) < 2:
        return 0
    front = {126: 4, 127: 10}.get(data[1], 2)
    size = front + (data[1] if front == 2 else int.from_bytes(data[2:front], "big"))
    return size if len(data) >= size else 0


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """The frames a server wrote: opcode and payload each."""
    found = []
    while data:
        size = frame_size(data)
        assert size, "a frame was cut"
        assert data[0] & 0xF0 == 0x80, "a server's frame is whole and unmasked"
        front = {126: 4, 127: 10}.get(data[1], 2)
        found.append((data[0] & 0x0F, data[front:size]))
        data = data[size:]
    return found


USER = Identity(wallet="UserWa11et", role=Role.USER, session_id="u", source="header")
ADMIN = Identity(wallet="AdminWa11et", role=Role.ADMIN, session_id="a", source="header")


class RecordingOutlet:
    """An outlet that keeps what is sent; ``stuck`` makes it behave like a full socket."""

    def __init__(self) -> None:
        self.line = Line(Cork(lambda step: None), self._written)
        self.closed: tuple[int, str] | None = None
        self.instant: Callable[[bytes], bool] | None = None
        self.stuck = False
        self.reading = True
        self.rtt_ms = 0.0
        self._held = 0
        self._sent = b""
        self._frames: list[bytes] = []

    @property
    def frames(self) -> list[bytes]:
        """Payloads that were sent, in order; a test may clear the list."""
        self.line.flush()
        return self._frames

    @property
    def held(self) -> int:
        return self._held

    @held.setter
    def held(self, size: int) -> None:
        self._held = size
        self.line.full = size > 0

    @property
    def pending(self) -> int:
        return self._held

    @property
    def writable(self) -> bool:
        return not self._held

    def send(self, data: bytes, binary: bool = False) -> None:
        assert self.closed is None, "nothing may be sent after close"
        self.line.send(data, 2 if binary else 1)
        if self.stuck:
            self.held += len(data)

    def _written(self, data: bytes) -> None:
        self._sent += data
        while size := frame_size(self._sent):
            (frame,) = frames_of(self._sent[:size])
            self._frames.append(frame[1])
            self._sent = self._sent[size:]

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take(self) -> list[dict[str, Any]]:
        """The JSON frames since the last call."""
        frames = [orjson.loads(frame) for frame in self.frames]
        self.frames.clear()
        return frames


def make_connection(
    endpoint: Any, identity: Identity = ANONYMOUS, **options: Any
) -> tuple[Connection, RecordingOutlet]:
    """A connection of ``endpoint`` with a recording outlet; call ``begin()`` to open it."""
    outlet = RecordingOutlet()
    peer = options.pop("peer", Peer())
    per_minute = options.pop("messages_per_minute", 120)
    limits = options.setdefault("limits", LimitsConfig())
    allowances = options.pop("allowances", None) or Allowances(limits)
    settings: dict[str, Any] = {
        "stats": Stats(),
        "allowance": allowances.of(
            endpoint.path,
            options.pop("settings", None) or EndpointConfig(messages_per_minute=per_minute),
            identity,
            peer.address,
        ),
    }
    conn = Connection(endpoint, identity, peer, outlet, **(settings | options))
    return conn, outlet


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_hub(clock: Clock, limits: LimitsConfig | None = None) -> Hub:
    """A hub of one process whose flush the test calls."""
    broker = MemoryBroker(300, clock)
    return Hub(broker, limits or LimitsConfig(), clock=clock, monotonic=clock)


def make_base(hub: Hub, clock: Clock, **options: Any) -> Base:
    """What the server hands to an endpoint; nobody can log in unless ``authority`` is given."""
    made: dict[str, Any] = {
        "authority": None,
        "limits": LimitsConfig(),
        "settings": EndpointConfig(),
        "stats": Stats(),
    }
    return Base(hub=hub, clock=clock, **(made | options))


def make_flags(database: Database | None = None) -> Flags:
    """Flags of which there are none; without a ``database`` there is none that answers."""
    database = database or Database("postgresql://nowhere", DatabaseConfig())
    return Flags(database, FlagRows(database), "test")


async def opened(
    endpoint: Any, identity: Identity = ANONYMOUS, **options: Any
) -> tuple[Connection, RecordingOutlet, list[dict[str, Any]]]:
    """A connection after its opening sequence, and the frames of that."""
    conn, outlet = make_connection(endpoint, identity, **options)
    conn.begin()
    await settle(conn)
    return conn, outlet, outlet.take()


async def settle(conn: Connection) -> None:
    """Wait until everything received so far has been handled."""
    await conn.idle()


async def ask(conn: Connection, outlet: RecordingOutlet, **message: Any) -> list[dict[str, Any]]:
    """Send one message as the client and return the frames it caused."""
    outlet.take()
    conn.receive(orjson.dumps(message), False)
    await settle(conn)
    return outlet.take()
