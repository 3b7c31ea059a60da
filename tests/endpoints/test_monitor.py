"""The monitor: frames, orders and refusals of wire.md A4."""

from __future__ import annotations

from typing import Any

import pytest

from fastws.domain.settings import SettingsBook
from fastws.domain.status import Service, SystemStatus
from fastws.endpoints.monitor import Monitor
from fastws.identity import ANONYMOUS, Identity, Role
from tests.endpoints.books import make_book, write
from tests.fakes import ADMIN, USER, Clock, ask, make_base, make_flags, make_hub, opened

SCENE = {"enabled": True, "scenes": [{"name": "rain"}]}
SUPERADMIN = Identity(wallet="SuperWa11et", role=Role.SUPERADMIN)


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.book: SettingsBook = make_book(
            self.hub, self.clock, background_scene=SCENE, secret__key="s", public__news="n"
        )
        self.status = SystemStatus(self.hub, self.clock, "1.2.3")
        self.status.follow(self.book)
        self.status.watch("database", lambda: Service(metrics={"pool": 1}))
        self.monitor = Monitor(
            make_base(self.hub, self.clock), self.status, self.book, make_flags()
        )
        self.flush()

    def flush(self) -> None:
        self.clock.now += 6
        self.hub.flush(self.clock.now)


@pytest.fixture
def world() -> World:
    return World()


def line(frame: dict[str, Any]) -> tuple[str, str | None]:
    return frame["type"], frame.get("channel")


USER_FRAMES = [
    ("welcome", None),
    ("subscription_confirmed", "system.status"),
    ("subscription_confirmed", "system.maintenance"),
    ("subscription_confirmed", "public.background_scene"),
    ("SERVER_STATUS_UPDATE", "system.status"),
    ("maintenance_status", "system.maintenance"),
    ("system_settings", "public.background_scene"),
    ("connection_established", None),
]

ADMIN_FRAMES = [
    *USER_FRAMES[:4],
    ("subscription_confirmed", "system.settings"),
    ("subscription_confirmed", "services"),
    ("subscription_confirmed", "system.errors"),
    *USER_FRAMES[4:7],
    ("system_settings", "system.settings"),
    ("all_services", "services"),
    ("recent_errors", "system.errors"),
    ("connection_established", None),
]


class TestOpening:
    async def test_a_user(self, world: World) -> None:
        _, _, frames = await opened(world.monitor, USER)
        assert [line(frame) for frame in frames] == USER_FRAMES
        assert frames[0]["message"] == "Monitor WebSocket Connected"
        assert frames[0]["capabilities"] == {
            "systemStatus": True,
            "maintenanceStatus": True,
            "systemSettings": True,
            "serviceStatus": False,
            "authenticated": True,
            "role": "user",
        }
        status, maintenance, scene = frames[4:7]
        assert status["data"] == world.status.system()
        assert set(status["data"]) == {"status", "message", "timestamp", "_version", "_uptime"}
        assert maintenance["data"] == {"mode": False, "message": None, "updated_at": None}
        assert (scene["subtype"], scene["data"]) == ("background_scene", SCENE)

    @pytest.mark.parametrize("who", [ADMIN, SUPERADMIN])
    async def test_an_admin(self, world: World, who: Identity) -> None:
        _, _, frames = await opened(world.monitor, who)
        assert [line(frame) for frame in frames] == ADMIN_FRAMES
        assert frames[0]["capabilities"]["serviceStatus"] is True
        assert frames[0]["capabilities"]["role"] == who.role
        settings, services, errors = frames[10:13]
        assert settings["subtype"] == "all"
        assert settings["data"] == {
            "background_scene": SCENE,
            "secret.key": "s",
            "public.news": "n",
        }
        assert services["data"] == world.status.services()
        assert (errors["count"], errors["totalErrors"], errors["data"]) == (0, 0, [])

    async def test_nobody(self, world: World) -> None:
        _, outlet, frames = await opened(world.monitor, ANONYMOUS)
        assert [frame["code"] for frame in frames] == ["UNAUTHORIZED"]
        assert outlet.closed == (4001, "Authentication required")

    async def test_a_guest_of_the_background_scene(self, world: World) -> None:
        conn, outlet, frames = await opened(
            world.monitor, query={"endpoint": "public.background_scene"}
        )
        assert [line(frame) for frame in frames] == [
            ("welcome", None),
            ("subscription_confirmed", "public.background_scene"),
            ("system_settings", "public.background_scene"),
            ("connection_established", None),
        ]
        assert not any(value for name, value in frames[0]["capabilities"].items() if name != "role")
        for type_ in ("get_system_status", "get_system_settings", "get_maintenance_status"):
            (error,) = await ask(conn, outlet, type=type_)
            assert error["code"] == "UNAUTHORIZED"
        (error,) = await ask(conn, outlet, type="subscribe", channel="system.status")
        assert error["code"] == "SUBSCRIPTION_DENIED"

    async def test_without_a_scene_its_frame_says_null(self) -> None:
        world = World()
        world.book = make_book(make_hub(world.clock), world.clock)
        world.monitor = Monitor(
            make_base(world.hub, world.clock), world.status, world.book, make_flags()
        )
        _, _, frames = await opened(world.monitor, USER)
        assert [line(frame) for frame in frames] == USER_FRAMES
        assert frames[6]["data"] is None


class TestCommands:
    async def test_status_under_both_names(self, world: World) -> None:
        conn, outlet, _ = await opened(world.monitor, USER)
        both = await ask(conn, outlet, type="get_system_status", id=7)
        assert [frame["type"] for frame in both] == ["SERVER_STATUS_UPDATE", "system_status"]
        assert both[0]["data"] == both[1]["data"] == world.status.system()
        assert [frame["id"] for frame in both] == [7, 7]
        assert all("channel" not in frame for frame in both)

    async def test_maintenance(self, world: World) -> None:
        conn, outlet, _ = await opened(world.monitor, USER)
        write(world.book, maintenance_mode={"enabled": True, "message": "Back at noon"})
        (frame,) = await ask(conn, outlet, type="get_maintenance_status")
        assert frame["type"] == "maintenance_status"
        assert frame["data"] == {
            "mode": True,
            "message": "Back at noon",
            "updated_at": "2026-01-02T03:04:05.000Z",
        }

    @pytest.mark.parametrize("asked", [{}, {"key": None}, {"key": ""}])
    async def test_settings_by_visibility(self, world: World, asked: dict[str, Any]) -> None:
        public = {"background_scene": SCENE, "public.news": "n"}
        for who, expected in ((USER, public), (ADMIN, {**public, "secret.key": "s"})):
            conn, outlet, _ = await opened(world.monitor, who)
            (frame,) = await ask(conn, outlet, type="get_system_settings", **asked)
            assert (frame["type"], frame["subtype"]) == ("system_settings", "all")
            assert frame["data"] == expected

    @pytest.mark.parametrize(
        ("who", "key", "data"),
        [
            (USER, "public.news", "n"),
            (ADMIN, "secret.key", "s"),
            (USER, "secret.key", None),
            (ADMIN, "none", None),
        ],
    )
    async def test_one_setting(
        self, world: World, who: Identity, key: str, data: str | None
    ) -> None:
        conn, outlet, _ = await opened(world.monitor, who)
        (frame,) = await ask(conn, outlet, type="get_system_settings", key=key, id=1)
        if data is None:
            assert (frame["code"], frame["id"]) == ("SETTING_NOT_FOUND", 1)
            assert frame["message"] == f'Setting "{key}" not found'
        else:
            assert (frame["subtype"], frame["data"]) == (key, data)

    async def test_services_for_admins(self, world: World) -> None:
        conn, outlet, _ = await opened(world.monitor, ADMIN)
        (frame,) = await ask(conn, outlet, type="get_service_status", service="database")
        assert (frame["type"], frame["service"]) == ("service_status", "database")
        assert frame["data"] == world.status.service("database")
        (frame,) = await ask(conn, outlet, type="get_all_services")
        assert frame["type"] == "all_services"
        assert frame["data"][0]["name"] == "database"
        assert {"status", "metrics"} <= set(frame["data"][0])
        for asked, code in (
            ({}, "MISSING_SERVICE"),
            ({"service": ""}, "MISSING_SERVICE"),
            ({"service": 5}, "MISSING_SERVICE"),
            ({"service": "none"}, "SERVICE_NOT_FOUND"),
        ):
            (error,) = await ask(conn, outlet, type="get_service_status", **asked)
            assert error["code"] == code

    async def test_recent_errors_for_admins(self, world: World) -> None:
        for number in range(30):
            world.status.report("market" if number % 2 else "monitor", f"error {number}")
        conn, outlet, _ = await opened(world.monitor, ADMIN)
        (frame,) = await ask(conn, outlet, type="get_recent_errors")
        assert (frame["type"], frame["count"], frame["totalErrors"]) == ("recent_errors", 20, 30)
        assert frame["service"] is None
        assert frame["data"][0]["error"] == "error 29"
        (frame,) = await ask(conn, outlet, type="get_recent_errors", limit=500, service="market")
        assert (frame["count"], frame["service"]) == (15, "market")
        (error,) = await ask(conn, outlet, type="get_recent_errors", limit="many")
        assert error["code"] == "INVALID_PAYLOAD"

    @pytest.mark.parametrize(
        ("type_", "text"),
        [
            ("get_service_status", "You do not have permission to access service status"),
            ("get_all_services", "You do not have permission to access service status"),
            ("get_recent_errors", "You do not have permission to access error logs"),
        ],
    )
    async def test_what_users_may_not_ask(self, world: World, type_: str, text: str) -> None:
        conn, outlet, _ = await opened(world.monitor, USER)
        (error,) = await ask(conn, outlet, type=type_, limit="nonsense")
        assert (error["code"], error["message"]) == ("UNAUTHORIZED", text)
        assert outlet.closed is None

    @pytest.mark.parametrize("label", ["system.settings", "services", "system.errors"])
    async def test_what_users_may_not_follow(self, world: World, label: str) -> None:
        conn, outlet, _ = await opened(world.monitor, USER)
        (error,) = await ask(conn, outlet, type="subscribe", channel=label)
        assert error["code"] == "SUBSCRIPTION_DENIED"

    async def test_there_are_no_other_channels(self, world: World) -> None:
        conn, outlet, _ = await opened(world.monitor, ADMIN)
        (error,) = await ask(conn, outlet, type="subscribe", channel="system.nonsense")
        assert error["code"] == "UNKNOWN_CHANNEL"


class TestPushes:
    async def test_a_user_hears_of_maintenance_and_status(self, world: World) -> None:
        _, outlet, _ = await opened(world.monitor, USER)
        world.flush()
        assert outlet.take() == []
        write(world.book, maintenance_mode=True, secret__key="t", background_scene="dark")
        world.flush()
        pushed = outlet.take()
        assert sorted(map(line, pushed)) == [
            ("SERVER_STATUS_UPDATE", "system.status"),
            ("maintenance_status", "system.maintenance"),
            ("system_settings", "public.background_scene"),
        ]
        by_type = {frame["type"]: frame for frame in pushed}
        assert by_type["SERVER_STATUS_UPDATE"]["data"]["status"] == "maintenance"
        assert by_type["system_settings"]["data"] == "dark"
        assert "secret" not in repr(pushed)

    async def test_an_admin_hears_of_settings_services_and_errors(self, world: World) -> None:
        _, outlet, _ = await opened(world.monitor, ADMIN)
        world.status.watch("market", Service)
        world.status.watch("market", lambda: Service("degraded"))
        world.status.report("market", "the feed is stale")
        write(world.book, secret__key="t")
        await world.status.step()
        world.flush()
        by_channel = {frame["channel"]: frame for frame in outlet.take()}
        assert by_channel["system.settings"]["data"] == {"secret.key": "t"}
        assert by_channel["system.settings"]["subtype"] == "update"
        assert by_channel["services"]["type"] == "service_status"
        assert by_channel["services"]["data"]["status"] == "degraded"
        assert by_channel["system.errors"]["type"] == "error_alert"
        assert by_channel["system.errors"]["data"]["error"] == "the feed is stale"
        assert by_channel["system.status"]["data"]["status"] == "degraded"
