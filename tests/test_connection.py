"""A connection without its socket: order, limits, backpressure, expiry, closing."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from fastws.config import LimitsConfig
from fastws.connection import Connection, Connections
from fastws.errors import Close, WireError
from fastws.identity import Identity
from fastws.wire import Reply
from tests.fakes import make_connection, settle


class Script:
    """A handler that notes what it is given and waits where told to."""

    path = "script"

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.opened = False
        self.ended: list[list[str]] = []
        self.gate: asyncio.Event | None = None

    async def open(self, conn: Connection) -> None:
        self.opened = True

    async def handle(self, conn: Connection, data: bytes, binary: bool) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.seen.append(data)
        conn.charge()

    def closed(self, conn: Connection) -> None:
        self.ended.append(list(conn.subscriptions))


@pytest.fixture
def script() -> Script:
    return Script()


async def test_messages_are_handled_in_order_after_the_opening(script: Script) -> None:
    conn, _ = make_connection(script)
    conn.begin()
    for number in range(20):
        conn.receive(b"%d" % number, False)
    await settle(conn)
    assert script.opened
    assert script.seen == [b"%d" % number for number in range(20)]
    assert not conn.busy, "an idle connection owns no task"


async def test_a_slow_handler_pauses_reading_and_resumes_it(script: Script) -> None:
    conn, outlet = make_connection(script, limits=LimitsConfig(inbox=8))
    script.gate = asyncio.Event()
    for number in range(10):
        conn.receive(b"%d" % number, False)
        await asyncio.sleep(0)
    assert not outlet.reading
    script.gate.set()
    await settle(conn)
    assert outlet.reading
    assert len(script.seen) == 10


async def test_the_bucket_refuses_with_a_time_and_then_closes(script: Script) -> None:
    limits = LimitsConfig(violations=3)
    conn, outlet = make_connection(script, limits=limits, messages_per_minute=5)
    for _ in range(5):
        conn.charge()
    refusals = []
    for _ in range(4):
        with pytest.raises(WireError) as caught:
            conn.charge()
        refusals.append(caught.value)
    assert all(0 < error.fields["retry_after_ms"] <= 12_000 for error in refusals)
    assert [error.close for error in refusals] == [None, None, None, Close.RATE_LIMIT]
    assert conn.limiter_hits == 4
    warnings = [frame for frame in outlet.take() if frame["type"] == "limit_warning"]
    assert len(warnings) == 1
    assert warnings[0]["bucket"] == "messages"


async def test_a_reader_who_stops_is_closed_at_the_cap_and_sent_nothing_more(
    script: Script,
) -> None:
    conn, outlet = make_connection(script, limits=LimitsConfig(backlog_bytes=1000))
    outlet.stuck = True
    while outlet.closed is None:
        conn.push(b"x" * 100)
    assert outlet.closed == (4508, Close.BACKLOG.reason)
    assert outlet.held <= 1100
    conn.push(b"after")
    assert outlet.frames[-1] != b"after"


async def test_who_asks_faster_than_he_reads_waits_for_his_answers(script: Script) -> None:
    conn, outlet = make_connection(script, limits=LimitsConfig(backlog_bytes=1000, inbox=4))
    outlet.stuck = True
    conn.push(b"x" * 900)
    for number in range(6):
        conn.receive(b"%d" % number, False)
        await asyncio.sleep(0)
    assert script.seen == []
    assert not outlet.reading
    outlet.stuck, outlet.held = False, 0
    conn.drained()
    await settle(conn)
    assert len(script.seen) == 6
    assert outlet.reading
    assert outlet.closed is None


async def test_long_messages_that_wait_are_counted_in_bytes(script: Script) -> None:
    conn, outlet = make_connection(script)
    script.gate = asyncio.Event()
    sent = 0
    while outlet.reading:
        conn.receive(b"x" * 100_000, False)
        sent += 1
    assert sent == 3, "reading pauses long before the inbox is full of them"
    script.gate.set()
    await settle(conn)
    assert outlet.reading
    assert len(script.seen) == 3


async def test_one_who_waits_can_be_closed(script: Script) -> None:
    conn, outlet = make_connection(script, limits=LimitsConfig(backlog_bytes=1000))
    outlet.stuck = True
    conn.push(b"x" * 900)
    conn.receive(b"1", False)
    await asyncio.sleep(0)
    conn.close(Close.NORMAL)
    conn.closed(1000, "")
    await settle(conn)
    assert script.seen == []
    assert not conn.busy


async def test_nothing_is_handled_after_close(script: Script) -> None:
    conn, outlet = make_connection(script)
    conn.close(Close.NORMAL)
    conn.receive(b"late", False)
    conn.close(Close.INTERNAL)
    await settle(conn)
    assert script.seen == []
    assert outlet.closed == (1000, "")


async def test_a_lost_socket_stops_the_work_and_reports_once(script: Script) -> None:
    gone: list[Connection] = []
    conn, _ = make_connection(script, on_gone=gone.append)
    script.gate = asyncio.Event()
    conn.receive(b"1", False)
    await asyncio.sleep(0)
    conn.closed(1006, "")
    await settle(conn)
    assert gone == [conn]
    assert script.seen == []
    assert conn.close_code == 1006


def signed(expires_at: float | None, session: str = "s") -> Identity:
    return Identity(wallet="W", session_id=session, expires_at=expires_at)


async def test_expiry_is_announced_once_and_enforced(script: Script) -> None:
    now = [1000.0]
    register = Connections(lambda: now[0])
    conn, outlet = make_connection(script, signed(1100.0), clock=lambda: now[0])
    forever, quiet = make_connection(script, signed(None))
    register.add(conn)
    register.add(forever)
    register.expire()
    assert outlet.take() == []
    now[0] = 1041.0
    register.expire()
    register.expire()
    (notice,) = outlet.take()
    assert (notice["type"], notice["expires_in"]) == ("token_expiring", 59)
    now[0] = 1100.0
    register.expire()
    assert outlet.closed == (4401, "Token expired")
    assert quiet.frames == []


async def test_a_refreshed_token_lives_on(script: Script) -> None:
    now = [1041.0]
    register = Connections(lambda: now[0])
    conn, outlet = make_connection(script, signed(1100.0), clock=lambda: now[0])
    register.add(conn)
    register.expire()
    conn.identity = signed(5000.0)
    now[0] = 1101.0
    register.expire()
    assert outlet.closed is None


async def test_a_revoked_session_closes_its_sockets_only(script: Script) -> None:
    register = Connections()
    ours, outlet = make_connection(script, signed(None, "mine"))
    theirs, other = make_connection(script, signed(None, "theirs"))
    register.add(ours)
    register.add(theirs)
    assert register.close_session("mine") == 1
    assert outlet.closed == (4401, "Session revoked")
    assert other.closed is None


async def test_the_register_counts_wallets_and_forgets(script: Script) -> None:
    register = Connections()
    made = [make_connection(script, signed(None))[0] for _ in range(3)]
    for conn in made:
        register.add(conn)
    assert (len(register), register.of("W")) == (3, 3)
    for conn in made:
        register.remove(conn)
        register.remove(conn)
    assert (len(register), register.of("W")) == (0, 0)
    assert register.get(made[0].id) is None


async def test_frames_carry_time_and_id(script: Script) -> None:
    conn, outlet = make_connection(script, clock=lambda: 0.0)
    conn.reply(Reply("pong"), id="a")
    conn.tell(Reply("news"), channel="c")
    assert outlet.take() == [
        {"type": "pong", "id": "a", "timestamp": "1970-01-01T00:00:00.000Z"},
        {"type": "news", "channel": "c", "timestamp": "1970-01-01T00:00:00.000Z"},
    ]
    assert orjson.loads(orjson.dumps(conn.limits()))["messages"]["remaining"] == 120
