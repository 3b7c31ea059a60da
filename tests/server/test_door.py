"""The door: which endpoint, who, in or not, and what is remembered of it."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec
import pytest

from fastws.config import EndpointConfig, LimitsConfig
from fastws.connection import Allowances, Connection, Connections, Peer
from fastws.endpoint import Endpoint
from fastws.errors import AuthError, StoreUnavailable
from fastws.gateway.answers import Refused
from fastws.identity import ANONYMOUS, Authority, Credential, Identity, OriginRule
from fastws.metrics import Stats
from fastws.server.door import PREFIX, Door
from fastws.store.connections import Closed, ConnectionLog, Opened
from tests.fakes import USER, Clock, RecordingOutlet, make_base, make_flags, make_hub, settle
from tests.identity.desk import Lines

PEER = Peer(address="192.0.2.7", user_agent="a browser", origin="https://degenduel.me")


class Open(Endpoint):
    """For everybody."""

    path = "open"
    requires_auth = False
    public_channels = ("news",)


class Members(Endpoint):
    """For users."""

    path = "members"
    aliases: ClassVar[tuple[str, ...]] = ("club",)


class Off(Endpoint):
    """Switched off."""

    path = "off"


class Judge:
    """An authority that says what the test wants."""

    def __init__(self) -> None:
        self.answer: Identity | Exception = USER
        self.over: set[str | None] = set()

    async def identify(self, credential: Credential) -> Identity:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ended(self, identity: Identity) -> bool:
        return identity.session_id in self.over


class Rows:
    """A connection log that keeps what it is given."""

    def __init__(self) -> None:
        self.opens: list[Opened] = []
        self.closes: list[Closed] = []

    def opened(self, row: Opened) -> None:
        self.opens.append(row)

    def closed(self, row: Closed) -> None:
        self.closes.append(row)


class Hall:
    """A door and everything it is given."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.judge, self.rows, self.stats = Judge(), Rows(), Stats()
        self.connections = Connections(self.clock)
        hub = make_hub(self.clock)
        hub.stream("open/news")
        options: dict[str, Any] = {"authority": self.judge, "stats": self.stats}
        base = make_base(hub, self.clock, **options)
        disabled = msgspec.structs.replace(base, settings=EndpointConfig(enabled=False))
        self.open, self.members = Open(base), Members(base)
        self.door = Door(
            [self.open, self.members, Off(disabled)],
            cast("Authority", self.judge),
            OriginRule(["https://degenduel.me"]),
            self.connections,
            cast("ConnectionLog", self.rows),
            LimitsConfig(user_connections=2),
            Allowances(LimitsConfig()),
            self.stats,
            "test",
            make_flags(),
            self.clock,
        )

    def enter(
        self, endpoint: Endpoint, who: Identity | Exception, **query: str
    ) -> tuple[Connection, RecordingOutlet]:
        outlet = RecordingOutlet()
        return self.door.connect(endpoint, who, PEER, query, outlet), outlet


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_an_endpoint_is_found_by_its_path_and_by_its_aliases(hall: Hall) -> None:
    assert hall.door.find(PREFIX + "members") is hall.members
    assert hall.door.find(PREFIX + "club") is hall.members
    assert hall.door.find(PREFIX + "nowhere") is None
    assert hall.door.find("/members") is None


def test_one_that_is_switched_off_is_not_there(hall: Hall) -> None:
    assert hall.door.find(PREFIX + "off") is None


@pytest.mark.parametrize(
    ("origin", "cookie", "allowed"),
    [
        ("https://degenduel.me", True, True),
        ("https://evil.example", False, False),
        (None, True, False),
        (None, False, True),
    ],
)
def test_origins_are_judged_by_the_rule(
    hall: Hall, origin: str | None, cookie: bool, allowed: bool
) -> None:
    assert hall.door.allows_origin(origin, "https://ws.degenduel.me", cookie) is allowed


async def test_who_shows_nothing_is_anonymous(hall: Hall) -> None:
    assert await hall.door.identify(None) is ANONYMOUS


@pytest.mark.parametrize(
    "answer", [USER, AuthError("no", "bad"), StoreUnavailable("away")], ids=["ok", "bad", "away"]
)
async def test_a_refusal_is_an_answer(hall: Hall, answer: Identity | Exception) -> None:
    hall.judge.answer = answer
    assert await hall.door.identify(Credential("header", "x")) is answer


async def test_a_user_comes_in_and_is_told_so(hall: Hall) -> None:
    conn, outlet = hall.enter(hall.members, USER)
    await settle(conn)
    frames = outlet.take()
    assert frames[-1]["type"] == "connection_established"
    assert frames[-1]["user"]["wallet_address"] == USER.wallet
    assert list(hall.connections) == [conn]
    assert hall.stats.open_now("members") == 1


@pytest.mark.parametrize("who", [AuthError("no", "bad"), StoreUnavailable("away")])
async def test_a_refused_credential_is_nobody_where_nobody_is_welcome(
    hall: Hall, who: Exception
) -> None:
    conn, outlet = hall.enter(hall.open, who)
    await settle(conn)
    assert outlet.take()[-1]["authenticated"] is False


async def test_a_refused_credential_does_not_open_what_needs_a_login(hall: Hall) -> None:
    conn, outlet = hall.enter(hall.members, AuthError("no", "bad"))
    await settle(conn)
    assert outlet.closed is not None
    assert outlet.closed[0] == 4001


async def test_nobody_is_taken_for_somebody_while_the_database_is_away(hall: Hall) -> None:
    _, outlet = hall.enter(hall.members, StoreUnavailable("away"))
    assert outlet.closed == (1013, "Try again later")


async def test_a_session_that_ended_during_the_handshake_does_not_come_in(hall: Hall) -> None:
    hall.judge.over.add(USER.session_id)
    _, outlet = hall.enter(hall.members, USER)
    assert outlet.closed == (4401, "Session revoked")


async def test_a_wallet_has_so_many_connections_and_no_more(hall: Hall) -> None:
    first, _ = hall.enter(hall.members, USER)
    hall.enter(hall.open, USER)
    conn, outlet = hall.enter(hall.members, USER)
    await settle(conn)
    assert outlet.take()[-1]["code"] == "TOO_MANY_CONNECTIONS"
    assert outlet.closed == (4409, "Too many connections")
    conn.closed(4409, "")
    first.closed(1000, "")
    _, outlet = hall.enter(hall.members, USER)
    assert outlet.closed is None, "one was closed first"


async def test_a_closed_door_says_503_and_ends_who_was_halfway_in(hall: Hall) -> None:
    hall.door.close()
    with pytest.raises(Refused) as caught:
        hall.door.find(PREFIX + "members")
    assert (caught.value.status, caught.value.reason) == (503, "draining")
    assert int(caught.value.headers["Retry-After"]) > 0
    _, outlet = hall.enter(hall.members, USER)
    assert outlet.closed == (1012, "Service restart")


async def test_what_is_recorded_of_a_connection(hall: Hall) -> None:
    conn, outlet = hall.enter(hall.open, USER, channel="news")
    await settle(conn)
    (opened,) = hall.rows.opens
    assert (opened.id, opened.address, opened.user_agent) == (conn.id, "192.0.2.7", "a browser")
    assert (opened.wallet, opened.environment) == (USER.wallet, "test")
    assert opened.origin == "https://degenduel.me"
    assert opened.at == hall.clock.now
    conn.receive(b'{"type":"heartbeat"}', False)
    await settle(conn)
    sent = len(outlet.frames)
    hall.clock.now += 12.34
    conn.closed(1000, "bye")
    (closed,) = hall.rows.closes
    assert (closed.id, closed.code, closed.reason) == (conn.id, 1000, "bye")
    assert (closed.seconds, closed.at) == (12.3, hall.clock.now)
    assert closed.topics == ["news"]
    assert (closed.received, closed.sent) == (1, sent)
    assert len(hall.connections) == 0
    assert hall.stats.open_now("open") == 0


async def test_lifecycle_lines_name_wallet_and_role(hall: Hall, lines: Lines) -> None:
    conn, _ = hall.enter(hall.members, USER)
    await settle(conn)
    conn.closed(1001, "")
    hall.enter(hall.open, ANONYMOUS)
    known, unknown = lines.of("ws.connected")
    assert (known["wallet"], known["role"], known["prefix"]) == (USER.wallet, "user", "ws.members")
    assert (unknown["wallet"], unknown["role"]) == (None, None)
    (gone,) = lines.of("ws.disconnected")
    assert (gone["wallet"], gone["code"], gone["connection"]) == (USER.wallet, 1001, conn.id)
