"""The admin endpoint: every command, its row in the audit, and what it does to who is here."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from fastws.config import Config
from fastws.connection import Connection, Connections
from fastws.connection.standing import Standing
from fastws.domain.flags import Flags
from fastws.domain.people import People
from fastws.domain.rollout import Rollout
from fastws.domain.settings import SettingsBook
from fastws.endpoint import Endpoint
from fastws.endpoints.admin import Admin, Controls
from fastws.errors import Close
from fastws.hub import Channel, Stream
from fastws.identity import Role
from fastws.store.audit import Audit
from fastws.store.flags import FlagRows
from fastws.store.pool import Database
from fastws.store.users import Users
from tests.fakes import ADMIN, USER, Clock, RecordingOutlet, ask, make_base, make_hub, opened

CHIEF = structs.replace(ADMIN, wallet="chief", role=Role.SUPERADMIN)


class Room(Endpoint):
    """Where anything may be followed that the policy allows."""

    path = "room"

    def channel(self, label: str) -> Channel | None:
        return self.hub.stream(f"room/{label}")


class World:
    """The endpoint, and clients of another one."""

    def __init__(self, database: Database) -> None:
        clock = Clock()
        self.hub = make_hub(clock)
        self.connections = Connections(clock)
        self.users = Users(database)
        self.audit = Audit(database)
        self.standing = Standing(self.users, self.connections)
        base = make_base(self.hub, clock)
        people = People(database, self.users, self.audit)
        self.flags = Flags(database, FlagRows(database), "test")
        self.rollout = Rollout()
        self.settings = SettingsBook(database, self.hub, Config().public_settings, clock)
        self.published: list[tuple[str, str, Any]] = []
        self.drained: list[bool] = []
        controls = Controls(
            database=database,
            settings=self.settings,
            flags=self.flags,
            rollout=self.rollout,
            publish=self.publish,
            drain=lambda: self.drained.append(True),
            endpoints=("admin", "room"),
        )
        self.endpoint = Admin(base, self.connections, people, self.standing, controls)
        self.elsewhere = Room(base)

    async def publish(self, channel: str, event: str, data: Any) -> dict[str, Any]:
        self.published.append((channel, event, data))
        return {"epoch": 1, "offset": 1}

    async def exist(self) -> None:
        for who in (USER, ADMIN, CHIEF):
            assert who.wallet is not None
            await self.users.set_role(who.wallet, str(who.role))

    async def come(self, who: Any = USER, there: Any = None) -> tuple[Connection, RecordingOutlet]:
        conn, outlet, _ = await opened(there or self.elsewhere, who)
        self.connections.add(conn)
        return conn, outlet

    async def actions(self) -> list[str]:
        return [line["action"] for line in await self.audit.latest()]


@pytest.fixture
async def world(database: Database) -> World:
    made = World(database)
    await made.exist()
    return made


async def test_who_is_here_is_found_by_what_is_known(world: World) -> None:
    admin, outlet = await world.come(ADMIN, world.endpoint)
    users = [(await world.come())[0] for _ in range(3)]
    (answer,) = await ask(admin, outlet, type="get_connections")
    assert (answer["total"], answer["more"]) == (4, False)
    assert [one["id"] for one in answer["connections"]] == [admin.id, *(one.id for one in users)]
    first = answer["connections"][0]
    assert (first["endpoint"], first["role"], first["channels"]) == (
        "admin",
        "admin",
        ["admin.audit"],
    )
    (answer,) = await ask(admin, outlet, type="get_connections", wallet=USER.wallet, limit=2)
    assert [one["id"] for one in answer["connections"]] == [one.id for one in users[:2]]
    assert answer["more"] is True
    (answer,) = await ask(
        admin, outlet, type="get_connections", wallet=USER.wallet, after=users[1].id
    )
    assert [one["id"] for one in answer["connections"]] == [users[2].id]
    (answer,) = await ask(admin, outlet, type="get_connections", endpoint="skyduel")
    assert answer["connections"] == []


async def test_a_ban_closes_what_is_open_and_is_written_first(world: World) -> None:
    admin, outlet = await world.come(ADMIN, world.endpoint)
    _, theirs = await world.come()
    frames = await ask(admin, outlet, type="ban", wallet=USER.wallet, reason="spam", id=1)
    assert [frame["type"] for frame in frames] == ["admin_action", "banned"]
    assert theirs.closed == (4403, "Access withdrawn")
    assert await world.users.get(USER.wallet or "") is None
    (line,) = await world.audit.latest()
    assert (line["action"], line["admin_address"]) == ("ban", ADMIN.wallet)
    assert line["details"] == {"wallet": USER.wallet, "reason": "spam"}
    frames = await ask(admin, outlet, type="unban", wallet=USER.wallet)
    assert frames[-1]["type"] == "unbanned"
    assert await world.users.get(USER.wallet or "") is not None
    assert await world.actions() == ["unban", "ban"]


async def test_a_role_acts_on_what_is_open_without_a_new_connection(world: World) -> None:
    chief, outlet = await world.come(CHIEF, world.endpoint)
    user, theirs = await world.come()
    theirs.take()
    await ask(chief, outlet, type="set_role", wallet=USER.wallet, role="admin")
    assert user.identity.role is Role.ADMIN
    assert [frame["type"] for frame in theirs.take()] == ["role_changed"]
    await ask(user, theirs, type="subscribe", channel="admin.anything")
    assert "admin.anything" in user.subscriptions
    await ask(chief, outlet, type="set_role", wallet=USER.wallet, role="user")
    frames = theirs.take()
    assert [(frame["type"], frame.get("channel")) for frame in frames] == [
        ("role_changed", None),
        ("unsubscribed", "admin.anything"),
    ]
    assert theirs.closed is None
    assert user.subscriptions == {}
    assert await world.actions() == ["set_role", "set_role"]


async def test_who_loses_his_role_loses_the_endpoint(world: World) -> None:
    _, outlet = await world.come(ADMIN, world.endpoint)
    await world.users.set_role(ADMIN.wallet or "", "user")
    await world.standing.look()
    assert outlet.closed == (4403, "Access withdrawn")
    assert (world.standing.changed, world.standing.withdrawn) == (1, 0)


async def test_what_another_program_writes_is_seen_too(world: World) -> None:
    _, outlet = await world.come()
    await world.standing.look()
    assert outlet.closed is None
    await world.users.set_banned(USER.wallet or "", True)
    await world.standing.look()
    assert outlet.closed == (4403, "Access withdrawn")


async def test_kicked_clients_may_come_back_and_revoked_ones_log_in_again(world: World) -> None:
    admin, outlet = await world.come(ADMIN, world.endpoint)
    conn, theirs = await world.come()
    frames = await ask(admin, outlet, type="kick", connection=conn.id)
    assert (frames[-1]["type"], frames[-1]["count"]) == ("kicked", 1)
    assert theirs.closed is not None
    assert theirs.closed[0] == 1001
    assert await world.actions() == ["kick"]
    for wrong in ({}, {"connection": "x", "wallet": "y"}):
        (error,) = await ask(admin, outlet, type="kick", **wrong)
        assert error["code"] == "INVALID_REQUEST"
    for name in ("kick", "revoke_session"):
        (error,) = await ask(admin, outlet, type=name, connection="nobody")
        assert error["code"] == "CONNECTION_NOT_FOUND"
    assert await world.actions() == ["kick"], "what did not happen is not written"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"type": "ban", "wallet": "nobody", "reason": "x"}, "USER_NOT_FOUND"),
        ({"type": "ban", "wallet": ADMIN.wallet, "reason": "x"}, "NOT_ALLOWED"),
        ({"type": "ban", "wallet": "chief", "reason": "x"}, "NOT_ALLOWED"),
        ({"type": "ban", "wallet": USER.wallet}, "INVALID_REQUEST"),
        ({"type": "unban", "wallet": "nobody"}, "USER_NOT_FOUND"),
        ({"type": "set_role", "wallet": USER.wallet, "role": "admin"}, "UNAUTHORIZED"),
        ({"type": "list_admins"}, "UNAUTHORIZED"),
    ],
)
async def test_what_an_administrator_may_not(
    world: World, asked: dict[str, Any], code: str
) -> None:
    admin, outlet = await world.come(ADMIN, world.endpoint)
    (error,) = await ask(admin, outlet, **asked)
    assert error["code"] == code
    assert await world.actions() == []


async def test_the_audit_and_the_administrators_can_be_read(world: World) -> None:
    chief, outlet = await world.come(CHIEF, world.endpoint)
    await ask(chief, outlet, type="ban", wallet=USER.wallet, reason="spam")
    await ask(chief, outlet, type="unban", wallet=USER.wallet)
    (answer,) = await ask(chief, outlet, type="get_audit", action="ban")
    assert [(one["admin"], one["action"]) for one in answer["entries"]] == [("chief", "ban")]
    (answer,) = await ask(chief, outlet, type="get_audit", limit=1)
    assert [one["action"] for one in answer["entries"]] == ["unban"]
    (answer,) = await ask(chief, outlet, type="get_audit", admin="somebody")
    assert answer["entries"] == []
    (answer,) = await ask(chief, outlet, type="list_admins")
    assert {(one["wallet"], one["role"]) for one in answer["admins"]} == {
        ("chief", "superadmin"),
        (ADMIN.wallet, "admin"),
    }


@pytest.mark.parametrize("who", [USER, None])
async def test_nobody_else_comes_in(world: World, who: Any) -> None:
    _, outlet, frames = await opened(world.endpoint, *([who] if who else []))
    assert [frame["type"] for frame in frames] == ["error"]
    assert outlet.closed is not None
    assert outlet.closed[0] in (4001, 4003)


# ── the system ──────────────────────────────────────────────────────────────────────────────


async def test_maintenance_and_settings_are_set_and_written_down(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    asked = {"type": "set_maintenance", "enabled": True, "message": "soon back"}
    frames = await ask(conn, outlet, **asked)
    assert frames[-1]["type"] == "maintenance_set"
    setting = world.settings.get("maintenance_mode")
    assert setting is not None
    assert setting.value == {"enabled": True, "message": "soon back"}
    frames = await ask(conn, outlet, type="update_setting", key="limits.x", value=3)
    assert frames[-1]["value"] == 3
    assert len(await world.actions()) == 2


async def test_announcements_and_publications_reach_their_channels(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    frames = await ask(conn, outlet, type="announce", message="hello", level="warning")
    assert frames[-1]["type"] == "announced"
    found = world.hub.find("notifications/system.announcements")
    assert isinstance(found, Stream)
    assert found.offset == 1
    asked = {"type": "publish", "channel": "a/b", "event": "note", "data": {"x": 1}}
    frames = await ask(conn, outlet, **asked)
    assert (frames[-1]["type"], frames[-1]["offset"]) == ("published", 1)
    assert world.published == [("a/b", "note", {"x": 1})]
    assert await world.actions() == ["publish", "announce"]


async def test_an_endpoint_is_switched_off_for_everybody_and_on_again(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    _, other = await world.come(USER)
    frames = await ask(conn, outlet, type="set_endpoint", name="room", enabled=False)
    assert frames[-1]["type"] == "endpoint_set"
    assert other.closed == (4503, "Endpoint switched off")
    assert world.flags.switch("endpoint.room", default=True) is False
    await ask(conn, outlet, type="set_endpoint", name="room", enabled=True)
    assert world.flags.switch("endpoint.room", default=True) is True
    for name, code in (("x", "ENDPOINT_NOT_FOUND"), ("admin", "INVALID_REQUEST")):
        (error,) = await ask(conn, outlet, type="set_endpoint", name=name, enabled=False)
        assert error["code"] == code
    assert await world.actions() == ["set_endpoint"] * 2


async def test_a_flag_is_set_piece_by_piece(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    flag = {"type": "set_flag", "name": "use_websocket_v2"}
    await ask(conn, outlet, **flag, enabled=True, percentage=12.5)
    await ask(conn, outlet, **flag, wallets=["w"])
    (reply,) = await ask(conn, outlet, type="get_flags")
    (shown,) = reply["flags"]
    assert (shown["enabled"], shown["percentage"], shown["wallets"]) == (True, 12.5, ["w"])
    assert shown["updated_by"] == ADMIN.wallet
    for bad in ({"percentage": 101}, {"name": "endpoint.room"}, {"name": "Ü"}):
        (error,) = await ask(conn, outlet, **(flag | bad))
        assert error["code"] == "INVALID_REQUEST"
    assert await world.actions() == ["set_flag"] * 2


async def test_how_versions_do_is_shown(world: World) -> None:
    said = world.rollout.of("2.1", "room")
    said.connected, said.failed = 3, 1
    world.rollout.error(said, "4503")
    conn, outlet = await world.come(ADMIN, world.endpoint)
    (reply,) = await ask(conn, outlet, type="get_rollout")
    (shown,) = reply["versions"]
    assert (shown["version"], shown["successRate"], shown["errors"]) == ("2.1", 0.75, {"4503": 1})


async def test_only_a_superadmin_drains(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    (error,) = await ask(conn, outlet, type="drain")
    assert error["code"] == "UNAUTHORIZED"
    assert world.drained == []
    conn, outlet = await world.come(CHIEF, world.endpoint)
    frames = await ask(conn, outlet, type="drain")
    assert frames[-1]["type"] == "draining"
    assert world.drained == [True]
    assert await world.actions() == ["drain"]


async def test_a_connection_is_shown_with_its_lag_and_the_users_last_end(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    first, _ = await world.come(USER)
    first.close(Close.GOING_AWAY)
    world.connections.remove(first)
    user, theirs = await world.come(USER)
    await ask(user, theirs, type="subscribe", channel="news")
    theirs.held = 1
    stream = world.hub.stream("room/news")
    for _ in range(3):
        await stream.publish("note", {})
    (reply,) = await ask(conn, outlet, type="get_connections", wallet=USER.wallet)
    (shown,) = reply["connections"]
    assert shown["lag"] == {"news": 3}
    assert shown["last_close"] == {"code": 1001, "reason": "Server shutting down"}


# ── reading along ───────────────────────────────────────────────────────────────────────────


async def test_an_administrator_reads_along_without_secrets(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    user, theirs = await world.come(USER)
    frames = await ask(conn, outlet, type="trace", wallet=USER.wallet, seconds=5)
    number = frames[-1]["trace"]
    assert frames[-1]["connections"] == [user.id]
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ3Ijoidyd9.c2lnbmF0dXJlc2lnbmF0dXJl"
    await ask(user, theirs, type="ping", token=token)
    copies = [frame for frame in outlet.take() if frame["type"] == "trace_frame"]
    assert [copy["direction"] for copy in copies] == ["in", "out"]
    assert token not in str(copies)
    assert "ping" in copies[0]["text"]
    (again,) = await ask(conn, outlet, type="trace", connection=user.id)
    assert again["code"] == "TOO_MANY_TRACES"
    frames = await ask(conn, outlet, type="stop_trace", trace=number)
    assert [frame["type"] for frame in frames] == ["trace_ended", "trace_stopped"]
    assert frames[0]["frames"] == 2
    await ask(user, theirs, type="heartbeat")
    assert outlet.take() == []
    assert await world.actions() == ["trace"]


async def test_a_trace_ends_with_who_reads_and_drops_what_he_does_not_take(world: World) -> None:
    conn, outlet = await world.come(ADMIN, world.endpoint)
    user, theirs = await world.come(USER)
    frames = await ask(conn, outlet, type="trace", connection=user.id)
    outlet.held = 1
    await ask(user, theirs, type="heartbeat")
    outlet.held = 0
    (ended, _) = await ask(conn, outlet, type="stop_trace", trace=frames[-1]["trace"])
    assert (ended["frames"], ended["dropped"]) == (0, 2)
    await ask(conn, outlet, type="trace", connection=user.id)
    assert user.tap is not None
    conn.closed(1006, "")
    assert user.tap is None
    (error,) = await ask(*(await world.come(ADMIN, world.endpoint)), type="stop_trace", trace=9)
    assert error["code"] == "TRACE_NOT_FOUND"
