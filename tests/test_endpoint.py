"""The conversation every endpoint shares, on an endpoint made up for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fastws import wire
from fastws.config import LimitsConfig
from fastws.connection import Connection
from fastws.endpoint import BUILT_IN, Endpoint, command
from fastws.errors import StoreUnavailable, WireError
from fastws.hub import Channel, Hub
from fastws.identity import Identity, Role
from fastws.wire import Message, Reply
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_hub, opened


class Say(Message):
    text: str
    times: int = 1


class Room(Endpoint):
    """News for all, a diary for users, a ledger for admins."""

    path = "room"
    public_channels = ("news",)
    grouped_prefix = "seat."

    def welcome(self, conn: Connection) -> Reply:
        return Reply("welcome", message="Come in")

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        return ("news", "diary", "admin.ledger")

    def channel(self, label: str) -> Channel | None:
        return None if label == "nowhere" else self.hub.stream(f"room/{label}")

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        if label == "raw":
            return [b'{"type":"raw"}']
        return [Reply("first", of=label)]

    @command("say", "SAY", invalid={"text": ("MISSING_TEXT", "Say something")})
    async def say(self, conn: Connection, msg: Say) -> list[Reply]:
        """Says it back."""
        return [Reply("said", text=msg.text) for _ in range(msg.times)]

    @command("rule", role=Role.ADMIN, denied=("NOT_YOU", "Admins only"), invalid="BAD_RULE")
    async def rule(self, conn: Connection, msg: Say) -> None:
        """For admins."""

    @command("fall")
    async def fall(self, conn: Connection, msg: Message) -> None:
        """Fails with a secret in its text."""
        raise RuntimeError("a secret")

    @command("away")
    async def away(self, conn: Connection, msg: Message) -> None:
        """Needs the database."""
        raise StoreUnavailable("password=secret")


class Hall(Room):
    """The same for everybody."""

    path = "hall"
    requires_auth = False


class Desk:
    """An authority that knows one token."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.revoked = False

    def ended(self, identity: Identity) -> bool:
        return self.revoked

    async def refresh(self, identity: Identity, token: str) -> Identity:
        if token != "good":
            raise WireError("INVALID_TOKEN", "Invalid token")
        return self.identity


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(clock: Clock) -> Hub:
    return make_hub(clock)


@pytest.fixture
def room(hub: Hub, clock: Clock) -> Room:
    return Room(make_base(hub, clock))


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


class TestOpening:
    async def test_the_order_for_a_user(self, room: Room) -> None:
        conn, _, frames = await opened(room, USER)
        assert [(f["type"], f.get("channel")) for f in frames] == [
            ("welcome", None),
            ("subscription_confirmed", "news"),
            ("subscription_confirmed", "diary"),
            ("first", "news"),
            ("first", "diary"),
            ("connection_established", None),
        ]
        assert frames[-1] == {
            "type": "connection_established",
            "connectionId": conn.id,
            "authenticated": True,
            "user": {"wallet_address": USER.wallet, "role": "user"},
            "timestamp": frames[-1]["timestamp"],
        }

    async def test_who_asks_for_no_automatic_channels_gets_what_he_asks_for(
        self, room: Room
    ) -> None:
        query = {"automatic": "false", "channel": "diary"}
        _, _, frames = await opened(room, USER, query=query)
        assert [(f["type"], f.get("channel")) for f in frames] == [
            ("welcome", None),
            ("subscription_confirmed", "diary"),
            ("first", "diary"),
            ("connection_established", None),
        ]

    async def test_an_admin_gets_his_channels_too(self, room: Room) -> None:
        _, _, frames = await opened(room, ADMIN)
        confirmed = [f["channel"] for f in frames if f["type"] == "subscription_confirmed"]
        assert confirmed == ["news", "diary", "admin.ledger"]

    async def test_nobody_gets_nothing_and_4001(self, room: Room) -> None:
        _, outlet, frames = await opened(room)
        assert len(frames) == 1
        error = frames[0]
        assert (error["type"], error["code"]) == ("error", "UNAUTHORIZED")
        assert error["message"] == "Authentication required"
        assert outlet.closed == (4001, "Authentication required")

    @pytest.mark.parametrize("asked", ["diary", "admin.ledger", "nowhere", "", "news "])
    async def test_only_a_public_channel_lets_a_guest_in(self, room: Room, asked: str) -> None:
        _, outlet, frames = await opened(room, query={"endpoint": asked, "channel": "news"})
        assert types(frames) == ["error"]
        assert outlet.closed is not None

    async def test_a_guest_of_a_public_channel(self, room: Room) -> None:
        conn, outlet, frames = await opened(room, query={"endpoint": "news"})
        assert types(frames) == [
            "welcome",
            "subscription_confirmed",
            "first",
            "connection_established",
        ]
        assert (frames[-1]["authenticated"], frames[-1]["user"]) == (False, None)
        (denied,) = await ask(conn, outlet, type="subscribe", channel="diary", id=1)
        assert (denied["code"], denied["id"]) == ("SUBSCRIPTION_DENIED", 1)
        assert denied["message"] == "You do not have access to this channel"
        (refused,) = await ask(conn, outlet, type="say", text="x")
        assert (refused["code"], refused["message"]) == ("UNAUTHORIZED", "Authentication required")
        assert types(await ask(conn, outlet, type="heartbeat")) == ["heartbeat_ack"]
        assert types(await ask(conn, outlet, type="unsubscribe", channel="news")) == [
            "unsubscription_confirmed"
        ]

    async def test_a_channel_in_the_address_is_subscribed_with_the_same_check(
        self, room: Room
    ) -> None:
        _, _, frames = await opened(room, USER, query={"channel": "attic"})
        assert [(f["type"], f.get("channel")) for f in frames[-3:]] == [
            ("subscription_confirmed", "attic"),
            ("first", "attic"),
            ("connection_established", None),
        ]
        _, _, frames = await opened(room, USER, query={"channel": "admin.ledger"})
        assert [f.get("code") for f in frames[-2:]] == ["SUBSCRIPTION_DENIED", None]

    async def test_everybody_may_use_an_open_endpoint(self, hub: Hub, clock: Clock) -> None:
        hall = Hall(make_base(hub, clock))
        conn, outlet, frames = await opened(hall)
        assert types(frames)[-1] == "connection_established"
        assert types(await ask(conn, outlet, type="say", text="x", times=2)) == ["said", "said"]

    async def test_a_failure_of_ours_closes_1011_and_is_reported(
        self, hub: Hub, clock: Clock
    ) -> None:
        reports: list[tuple[str, str]] = []
        room = Room(make_base(hub, clock, report=lambda *of: reports.append(of)))
        room.automatic = None  # type: ignore[assignment]
        _, outlet, frames = await opened(room, USER)
        assert types(frames) == ["welcome"]
        assert outlet.closed == (1011, "Internal error")
        assert reports == [("room", "opening sequence failed")]


class TestDispatch:
    async def test_an_alias_and_the_id(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER)
        frames = await ask(conn, outlet, type="SAY", text="hi", times=2, id="a")
        assert [(f["type"], f["text"], f["id"]) for f in frames] == [("said", "hi", "a")] * 2
        assert all("channel" not in frame for frame in frames)

    @pytest.mark.parametrize(
        ("message", "code", "text"),
        [
            ({"type": "dance"}, "UNKNOWN_MESSAGE_TYPE", "Unknown message type: dance"),
            ({"type": "say"}, "MISSING_TEXT", "Say something"),
            ({"type": "say", "text": 5}, "MISSING_TEXT", "Say something"),
            ({"type": "say", "text": "x", "times": "y"}, "INVALID_PAYLOAD", None),
            ({"type": "rule"}, "NOT_YOU", "Admins only"),
            ({"type": "subscribe"}, "INVALID_SUBSCRIPTION", "Channel name is required"),
            ({"type": "subscribe", "channel": ""}, "INVALID_SUBSCRIPTION", None),
            ({"type": "subscribe", "channel": "a b"}, "INVALID_SUBSCRIPTION", None),
            ({"type": "subscribe", "channel": "x" * 129}, "INVALID_SUBSCRIPTION", None),
            ({"type": "unsubscribe"}, "INVALID_UNSUBSCRIPTION", "Channel name is required"),
            ({"type": "subscribe", "channel": "nowhere"}, "UNKNOWN_CHANNEL", None),
            ({"type": "subscribe", "channel": "diary", "format": "xml"}, "UNKNOWN_FORMAT", None),
            ({"type": "subscribe", "channel": "diary", "since": 4}, "INVALID_SINCE", None),
            ({"type": "pause", "channel": "attic"}, "NOT_SUBSCRIBED", "Not subscribed to attic"),
            ({"type": "fall"}, "MESSAGE_PROCESSING_ERROR", "Error processing message"),
            ({"type": "away"}, "SERVICE_UNAVAILABLE", None),
            ({"type": 5}, "UNKNOWN_MESSAGE_TYPE", None),
        ],
    )
    async def test_errors(
        self, room: Room, message: dict[str, Any], code: str, text: str | None
    ) -> None:
        conn, outlet, _ = await opened(room, USER)
        (error,) = await ask(conn, outlet, **message, id=7)
        assert (error["type"], error["code"], error["id"]) == ("error", code, 7)
        assert text in (None, error["message"])
        assert "secret" not in error["message"]
        assert types(await ask(conn, outlet, type="heartbeat")) == ["heartbeat_ack"], "it stays"

    async def test_the_role_is_judged_before_the_shape(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, ADMIN)
        (error,) = await ask(conn, outlet, type="rule")
        assert error["code"] == "BAD_RULE"

    @pytest.mark.parametrize("data", [b"", b"[]", b"{", b"nonsense", b'"x"', b"\xff"])
    async def test_what_is_no_object_closes_1003(self, room: Room, data: bytes) -> None:
        conn, outlet, _ = await opened(room, USER)
        conn.receive(data, False)
        await conn.idle()
        (error,) = outlet.take()
        assert (error["code"], error["message"]) == ("INVALID_MESSAGE", "Invalid message format")
        assert outlet.closed == (1003, "Invalid message format")

    async def test_binary_json_is_read_and_other_binary_refused(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER)
        conn.receive(b'{"type":"heartbeat"}', True)
        await conn.idle()
        assert types(outlet.take()) == ["heartbeat_ack"]
        conn.receive(b"\x01abc", True)
        await conn.idle()
        assert outlet.closed == (1003, "Invalid message format")

    @pytest.mark.parametrize("bad", ["true", "1.5", "[]", '"' + "x" * 65 + '"', "9" * 17])
    async def test_a_bad_id_has_its_own_code_and_is_charged(self, room: Room, bad: str) -> None:
        conn, outlet, _ = await opened(room, USER, messages_per_minute=3)
        for _ in range(4):
            conn.receive(b'{"type":"ping","id":%s}' % bad.encode(), False)
        await conn.idle()
        codes = [frame["code"] for frame in outlet.take() if frame["type"] == "error"]
        assert codes == ["INVALID_ID"] * 3 + ["RATE_LIMIT_EXCEEDED"]

    async def test_the_limit_answers_with_the_id_and_a_time(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER, messages_per_minute=1)
        await ask(conn, outlet, type="heartbeat")
        (error,) = await ask(conn, outlet, type="heartbeat", id=9)
        assert (error["code"], error["id"]) == ("RATE_LIMIT_EXCEEDED", 9)
        assert error["message"] == "Message rate limit exceeded"
        assert 0 < error["retry_after_ms"] <= 60_000

    async def test_a_failure_is_reported_without_its_text(self, hub: Hub, clock: Clock) -> None:
        reports: list[tuple[str, str]] = []
        room = Room(make_base(hub, clock, report=lambda *of: reports.append(of)))
        conn, outlet, _ = await opened(room, USER)
        await ask(conn, outlet, type="fall")
        assert reports == [("room", "a message could not be processed")]


class TestBuiltIn:
    async def test_ping_echoes_what_it_was_given(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER)
        (pong,) = await ask(conn, outlet, type="ping", timestamp=1234.5)
        assert pong == {"type": "pong", "timestamp": 1234.5}
        (pong,) = await ask(conn, outlet, type="ping")
        assert pong["timestamp"].endswith("Z")

    async def test_limits_tells_what_is_left(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER)
        (limits,) = await ask(conn, outlet, type="limits")
        assert limits["channels"] == {"limit": 128, "remaining": 126, "reset_ms": 0}
        assert set(limits["messages"]) == {"limit", "remaining", "reset_ms"}

    async def test_refresh_keeps_the_socket_and_takes_what_is_lost(
        self, hub: Hub, clock: Clock
    ) -> None:
        demoted = Identity(wallet=ADMIN.wallet, role=Role.USER, expires_at=clock.now + 60)
        room = Room(make_base(hub, clock, authority=Desk(demoted)))
        conn, outlet, _ = await opened(room, ADMIN)
        (bad,) = await ask(conn, outlet, type="refresh", token="bad")
        assert bad["code"] == "INVALID_TOKEN"
        frames = await ask(conn, outlet, type="refresh", token="good", id=1)
        assert [(f["type"], f.get("channel")) for f in frames] == [
            ("unsubscribed", "admin.ledger"),
            ("token_refreshed", None),
        ]
        assert frames[-1]["expires_at"] == wire.iso(clock.now + 60)
        assert set(conn.subscriptions) == {"news", "diary"}
        await hub.stream("room/admin.ledger").publish("entry", {})
        assert outlet.take() == []

    async def test_a_session_that_ended_during_the_refresh_ends_the_socket(
        self, hub: Hub, clock: Clock
    ) -> None:
        desk = Desk(ADMIN)
        conn, outlet, _ = await opened(Room(make_base(hub, clock, authority=desk)), ADMIN)
        desk.revoked = True
        assert await ask(conn, outlet, type="refresh", token="good") == []
        assert outlet.closed == (4401, "Session revoked")

    def test_the_list_of_built_in_commands(self) -> None:
        assert {
            *("heartbeat", "ping", "subscribe", "unsubscribe", "pause", "resume", "resync"),
            *("refresh", "limits"),
        } == BUILT_IN


class TestSubscriptions:
    async def test_confirmation_then_data_then_what_happens(self, room: Room, hub: Hub) -> None:
        conn, outlet, _ = await opened(room, USER)
        frames = await ask(conn, outlet, type="subscribe", channel="attic", id=3)
        assert [(f["type"], f["channel"], f.get("id")) for f in frames] == [
            ("subscription_confirmed", "attic", 3),
            ("first", "attic", None),
        ]
        assert {"kind", "channel_id", "epoch", "offset"} <= set(frames[0])
        assert "recovered" not in frames[0]
        await hub.stream("room/attic").publish("noise", {"loud": True})
        (heard,) = outlet.take()
        assert (heard["type"], heard["channel"], heard["offset"]) == ("noise", "attic", 1)

    async def test_a_repetition_is_confirmed_again_and_delivers_once(
        self, room: Room, hub: Hub
    ) -> None:
        conn, outlet, _ = await opened(room, USER)
        for _ in range(3):
            frames = await ask(conn, outlet, type="subscribe", channel="attic")
            assert types(frames) == ["subscription_confirmed", "first"]
        await hub.stream("room/attic").publish("noise", {})
        assert len(outlet.take()) == 1

    async def test_bytes_are_sent_as_they_are(self, room: Room) -> None:
        conn, outlet, _ = await opened(room, USER)
        conn.receive(orjson.dumps({"type": "subscribe", "channel": "raw"}), False)
        await conn.idle()
        assert outlet.frames[-1] == b'{"type":"raw"}'

    async def test_nothing_comes_after_unsubscribing(self, room: Room, hub: Hub) -> None:
        conn, outlet, _ = await opened(room, USER)
        for _ in range(2):
            (done,) = await ask(conn, outlet, type="unsubscribe", channel="diary")
            assert (done["type"], done["channel"]) == ("unsubscription_confirmed", "diary")
        await hub.stream("room/diary").publish("noise", {})
        assert outlet.take() == []

    async def test_resume_gets_what_was_missed_and_no_first_data(
        self, room: Room, hub: Hub
    ) -> None:
        conn, outlet, _ = await opened(room, USER)
        stream = hub.stream("room/attic")
        since = stream.position
        await stream.publish("noise", {"n": 1})
        frames = await ask(conn, outlet, type="subscribe", channel="attic", since=since)
        assert types(frames) == ["subscription_confirmed", "noise"]
        assert frames[0]["recovered"] is True
        frames = await ask(conn, outlet, type="subscribe", channel="attic")
        assert types(frames) == ["subscription_confirmed", "first"], "asked without since"

    async def test_a_refused_resume_leaves_the_subscription_alone(
        self, room: Room, hub: Hub
    ) -> None:
        conn, outlet, _ = await opened(room, USER)
        stream = hub.stream("room/diary")
        ahead = {"epoch": stream.epoch, "offset": 99}
        (error,) = await ask(conn, outlet, type="subscribe", channel="diary", since=ahead)
        assert error["code"] == "INVALID_SINCE"
        await stream.publish("noise", {})
        assert types(outlet.take()) == ["noise"]

    async def test_pause_and_resume(self, room: Room, hub: Hub) -> None:
        conn, outlet, _ = await opened(room, USER)
        assert types(await ask(conn, outlet, type="pause", channel="diary")) == ["paused"]
        await hub.stream("room/diary").publish("noise", {})
        assert outlet.take() == []
        assert set(types(await ask(conn, outlet, type="resume", channel="diary"))) == {
            "noise",
            "resumed",
        }

    async def test_one_channel_too_many(self, hub: Hub, clock: Clock) -> None:
        limits = LimitsConfig(channels=4, symbols=2)
        room = Room(make_base(hub, clock, limits=limits))
        conn, outlet, _ = await opened(room, USER, limits=limits)
        assert types(await ask(conn, outlet, type="subscribe", channel="seat.1"))[0] == (
            "subscription_confirmed"
        )
        await ask(conn, outlet, type="subscribe", channel="a")
        (error,) = await ask(conn, outlet, type="subscribe", channel="b")
        assert (error["code"], error["limit"]) == ("TOO_MANY_CHANNELS", 4)
        frames = await ask(conn, outlet, type="subscribe", channel="seat.2")
        assert types(frames)[0] == "subscription_confirmed", "all seats are one channel"
        (error,) = await ask(conn, outlet, type="subscribe", channel="seat.3")
        assert (error["code"], error["limit"]) == ("TOO_MANY_ROWS", 2)
        for label in ("seat.1", "seat.2", "seat.2"):
            await ask(conn, outlet, type="unsubscribe", channel=label)
        assert conn.grouped == 0
        await ask(conn, outlet, type="subscribe", channel="b")
        (error,) = await ask(conn, outlet, type="subscribe", channel="seat.1")
        assert error["code"] == "TOO_MANY_CHANNELS", "the first seat is a channel, too"
