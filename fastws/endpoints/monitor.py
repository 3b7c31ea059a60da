"""``/monitor``: system status, maintenance, settings, services and recent errors (wire.md A4).

Owns the spelling of these on the wire. What they say is the domain's, who may read it is said
by the decorators, the channel table and the settings' own visibility.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType

from fastws.connection import Connection
from fastws.domain.flags import Flags
from fastws.domain.settings import BACKGROUND_SCENE, SettingsBook
from fastws.domain.status import SystemStatus
from fastws.endpoint import Base, Endpoint, command
from fastws.errors import Code, WireError
from fastws.identity import Identity, Role
from fastws.wire import Message, Reply

__all__ = ["Monitor"]

SERVICES_DENIED: Final = (
    Code.UNAUTHORIZED.value,
    "You do not have permission to access service status",
)
ERRORS_DENIED: Final = (
    Code.UNAUTHORIZED.value,
    "You do not have permission to access error logs",
)

FLAGS: Final = "public.flags"


class GetSystemSettings(Message):
    """``get_system_settings``: one setting, or all when there is no key."""

    key: str | UnsetType | None = UNSET


class GetServiceStatus(Message):
    """``get_service_status``: one service by name."""

    service: str


class GetRecentErrors(Message):
    """``get_recent_errors``: the newest ``limit``, of a service or of all."""

    limit: int = 20
    service: str | None = None


class Monitor(Endpoint):
    """The state of the system, for users and for those who run it."""

    path = "monitor"
    public_channels = ("public.background_scene", FLAGS, "public.announcements")

    def __init__(
        self, base: Base, status: SystemStatus, settings: SettingsBook, flags: Flags
    ) -> None:
        super().__init__(base)
        self._status = status
        self._settings = settings
        self._flags = flags
        flags.on_changed.append(self.tell_flags)
        for label in (FLAGS, "public.announcements"):
            self.hub.stream(f"{self.path}/{label}")

    def welcome(self, conn: Connection) -> Reply:
        """What this client may see."""
        identity = conn.identity
        return Reply(
            "welcome",
            message="Monitor WebSocket Connected",
            capabilities={
                "systemStatus": self._may(conn, "system.status"),
                "maintenanceStatus": self._may(conn, "system.maintenance"),
                "systemSettings": identity.authenticated,
                "serviceStatus": self._may(conn, "services"),
                "authenticated": identity.authenticated,
                "role": identity.role,
            },
        )

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """All of them, as far as the client may follow them."""
        return (
            "system.status",
            "system.maintenance",
            "public.background_scene",
            "system.settings",
            "services",
            "system.errors",
        )

    async def initial(self, conn: Connection, label: str) -> list[Reply]:
        """One data frame for each channel."""
        match label:
            case "system.status":
                return [Reply("SERVER_STATUS_UPDATE", data=self._status.system())]
            case "system.maintenance":
                return [Reply("maintenance_status", data=self._status.maintenance())]
            case "public.background_scene":
                scene = self._settings.get(BACKGROUND_SCENE)
                data = None if scene is None else scene.value
                return [Reply("system_settings", subtype=BACKGROUND_SCENE, data=data)]
            case "system.settings":
                return [self._all_settings(conn.identity)]
            case "services":
                return [Reply("all_services", data=self._status.services())]
            case "system.errors":
                return [Reply("recent_errors", **self._status.recent())]
            case "public.flags":
                return [Reply("flags", flags=self._flags.seen(conn.identity.wallet))]
            case _:
                return []

    def tell_flags(self) -> None:
        """Flags changed: each follower gets those that are on for him."""
        found = self.hub.find(f"{self.path}/{FLAGS}")
        for subscription in tuple(found.subscriptions) if found is not None else ():
            conn = subscription.subscriber
            if isinstance(conn, Connection) and subscription.live:
                flags = self._flags.seen(conn.identity.wallet)
                conn.tell(Reply("flags", flags=flags), channel=FLAGS)

    @command("get_system_status")
    async def get_system_status(self, conn: Connection, msg: Message) -> list[Reply]:
        """The status under both names that clients know."""
        data = self._status.system()
        return [Reply("SERVER_STATUS_UPDATE", data=data), Reply("system_status", data=data)]

    @command("get_maintenance_status")
    async def get_maintenance_status(self, conn: Connection, msg: Message) -> Reply:
        """Whether the system is under maintenance, and what users are told."""
        return Reply("maintenance_status", data=self._status.maintenance())

    @command("get_system_settings")
    async def get_system_settings(self, conn: Connection, msg: GetSystemSettings) -> Reply:
        """One setting or all: values only; others than admins get public keys."""
        if not msg.key:
            return self._all_settings(conn.identity)
        setting = self._settings.read(conn.identity, msg.key)
        return Reply("system_settings", subtype=msg.key, data=setting.value)

    def _all_settings(self, identity: Identity) -> Reply:
        shown = self._settings.shown(identity)
        data: dict[str, Any] = {key: setting.value for key, setting in shown.items()}
        return Reply("system_settings", subtype="all", data=data)

    @command(
        "get_service_status",
        role=Role.ADMIN,
        denied=SERVICES_DENIED,
        invalid={"service": ("MISSING_SERVICE", "Service name is required")},
    )
    async def get_service_status(self, conn: Connection, msg: GetServiceStatus) -> Reply:
        """One service: its status, figures and since when."""
        if not msg.service:
            raise WireError("MISSING_SERVICE", "Service name is required")
        data = self._status.service(msg.service)
        if data is None:
            raise WireError("SERVICE_NOT_FOUND", f"Service not found: {msg.service[:64]}")
        return Reply("service_status", service=msg.service, data=data)

    @command("get_all_services", role=Role.ADMIN, denied=SERVICES_DENIED)
    async def get_all_services(self, conn: Connection, msg: Message) -> Reply:
        """Every service."""
        return Reply("all_services", data=self._status.services())

    @command("get_recent_errors", role=Role.ADMIN, denied=ERRORS_DENIED)
    async def get_recent_errors(self, conn: Connection, msg: GetRecentErrors) -> Reply:
        """The newest errors first, at most a hundred."""
        return Reply("recent_errors", **self._status.recent(msg.limit, msg.service or None))
