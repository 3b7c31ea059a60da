"""A planned stop: announced, spread, bounded, and it can be cut short."""

from __future__ import annotations

import asyncio
import random

import pytest

from fastws.connection import Connection, Connections
from fastws.server.drain import LAST_CLOSES, PER_CONNECTION, drain
from tests.fakes import RecordingOutlet, make_connection

SECONDS = LAST_CLOSES + 10


class Silent:
    """A handler nobody talks to."""

    path = "silent"

    async def open(self, conn: Connection) -> None:
        pass

    async def handle(self, conn: Connection, data: bytes, binary: bool) -> None:
        pass

    def closed(self, conn: Connection) -> None:
        pass


class Crowd:
    """Open connections; who is closed is gone at once, unless the crowd is ``stubborn``."""

    def __init__(self, size: int, stubborn: bool = False) -> None:
        self.connections = Connections()
        self.outlets: list[RecordingOutlet] = []
        self.order: list[int] = []
        self.changed = asyncio.Event()
        self.stubborn = stubborn
        self.conns = [self._join(number) for number in range(size)]

    def _join(self, number: int) -> Connection:
        conn, outlet = make_connection(Silent(), on_gone=self.connections.remove)
        self.connections.add(conn)
        self.outlets.append(outlet)
        close = outlet.close

        def closing(code: int, reason: str) -> None:
            close(code, reason)
            self.order.append(number)
            self.changed.set()
            if not self.stubborn:
                conn.closed(code, reason)

        outlet.close = closing  # type: ignore[method-assign]
        return conn


async def test_nobody_there_is_over_at_once() -> None:
    draining = asyncio.create_task(drain(Connections(), 1e9, random.Random(1)))
    await asyncio.sleep(0)
    assert draining.done()
    assert draining.exception() is None


async def test_everybody_is_told_first_and_then_closed_1012() -> None:
    crowd = Crowd(20)
    draining = asyncio.create_task(drain(crowd.connections, SECONDS, random.Random(1)))
    await crowd.changed.wait()
    assert all(outlet.frames for outlet in crowd.outlets), "before the first close"
    await draining
    assert {outlet.closed for outlet in crowd.outlets} == {(1012, "Service restart")}
    assert len(crowd.connections) == 0


async def test_the_announcement_spreads_the_return() -> None:
    size = 50
    crowd = Crowd(size)
    await drain(crowd.connections, SECONDS, random.Random(2))
    frames = [outlet.take() for outlet in crowd.outlets]
    assert all(len(one) == 1 and one[0]["type"] == "drain" for one in frames)
    deadlines = {one[0]["deadline_ms"] for one in frames}
    assert deadlines == {round((0.2 + size * PER_CONNECTION) * 1000)}
    waits = [one[0]["reconnect_after_ms"] for one in frames]
    (deadline,) = deadlines
    assert all(0 <= wait < deadline for wait in waits)
    quarters = {wait * 4 // deadline for wait in waits}
    assert quarters == {0, 1, 2, 3}, "not all at once"


async def test_the_closes_come_in_a_random_order_that_a_seed_fixes() -> None:
    orders = []
    for seed in (3, 3, 4):
        crowd = Crowd(12)
        await drain(crowd.connections, SECONDS, random.Random(seed))
        orders.append(crowd.order)
        assert sorted(crowd.order) == list(range(12))
    assert orders[0] == orders[1] != orders[2]


async def test_who_left_meanwhile_is_not_closed_again() -> None:
    crowd = Crowd(10)
    for conn in crowd.conns[:9]:
        conn.closed(1001, "")
    await drain(crowd.connections, SECONDS, random.Random(5))
    assert crowd.order == [9]
    gone = Crowd(3)
    draining = asyncio.create_task(drain(gone.connections, SECONDS, random.Random(5)))
    await gone.changed.wait()
    first = gone.order[0]
    for number, conn in enumerate(gone.conns):
        if number != first:
            conn.closed(1001, "")
    await draining
    assert gone.order == [first]


async def test_who_does_not_go_is_waited_for_until_the_deadline_and_no_longer() -> None:
    crowd = Crowd(3, stubborn=True)
    await drain(crowd.connections, 1.2, random.Random(6))
    assert len(crowd.order) == 3, "asked to go"
    assert len(crowd.connections) == 3, "and the rest is the server's"


async def test_it_returns_when_the_last_one_is_gone() -> None:
    crowd = Crowd(2, stubborn=True)
    draining = asyncio.create_task(drain(crowd.connections, 1e6, random.Random(7)))
    while len(crowd.order) < 2:
        crowd.changed.clear()
        await crowd.changed.wait()
    crowd.conns[0].closed(1012, "")
    await asyncio.sleep(0)
    assert not draining.done()
    crowd.conns[1].closed(1012, "")
    await draining


async def test_a_second_signal_stops_it_now() -> None:
    crowd = Crowd(2000)
    draining = asyncio.create_task(drain(crowd.connections, 1e6, random.Random(8)))
    await crowd.changed.wait()
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert 0 < len(crowd.order) < 2000
