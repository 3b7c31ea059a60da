"""The system: settings, maintenance, announcements, switches, flags, and the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from fastws.connection import Connection, Connections
from fastws.domain.flags import ALIAS, ENDPOINT, Flags
from fastws.domain.rollout import Rollout
from fastws.domain.settings import SettingsBook
from fastws.domain.status import MAINTENANCE
from fastws.endpoint import command
from fastws.endpoints.admin.audited import Audited
from fastws.errors import Close, WireError
from fastws.identity import Role
from fastws.store.flags import Flag
from fastws.store.pool import Database
from fastws.wire import Message, Reply, iso

__all__ = ["Controls", "System"]

ANNOUNCEMENTS: Final = ("notifications/system.announcements", "monitor/public.announcements")

Publish = Callable[[str, str, Any], Awaitable[Mapping[str, Any]]]


class Controls(Struct, frozen=True, kw_only=True):
    """What administrators may turn. ``drain()`` begins the planned end of this process."""

    database: Database
    settings: SettingsBook
    flags: Flags
    rollout: Rollout
    publish: Publish
    drain: Callable[[], None]
    endpoints: tuple[str, ...] = ()
    """Paths that may be switched off."""


class SetMaintenance(Message):
    """``set_maintenance``."""

    enabled: bool
    message: Annotated[str, Meta(max_length=500)] = ""


class UpdateSetting(Message):
    """``update_setting``."""

    key: Annotated[str, Meta(min_length=1, max_length=255)]
    value: Any
    description: str | None = None


class Announce(Message):
    """``announce``: to everybody who follows announcements."""

    message: Annotated[str, Meta(min_length=1, max_length=2000)]
    level: Annotated[str, Meta(pattern="^(info|warning|critical)$")] = "info"


class PublishMessage(Message):
    """``publish``: into a stream, or tokens into the market."""

    channel: Annotated[str, Meta(min_length=3, max_length=256)]
    event: Annotated[str, Meta(min_length=1, max_length=64)]
    data: Any


class SetEndpoint(Message):
    """``set_endpoint``: the kill switch of an endpoint."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    enabled: bool


class SetFlag(Message):
    """``set_flag``: what is left out stays as it is."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    enabled: bool | UnsetType = UNSET
    percentage: Annotated[float, Meta(ge=0, le=100)] | UnsetType = UNSET
    wallets: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=1000)] | (
        UnsetType
    ) = UNSET
    environments: Annotated[list[str], Meta(max_length=10)] | UnsetType = UNSET


class System(Audited):
    """The part that turns things."""

    _controls: Controls
    _connections: Connections

    @command("set_maintenance", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def set_maintenance(self, conn: Connection, msg: SetMaintenance) -> Reply:
        """Close the platform to users, or open it again."""
        value = {"enabled": msg.enabled, "message": msg.message or None}
        await self._set(conn, MAINTENANCE, value, None)
        return Reply("maintenance_set", enabled=msg.enabled, message=msg.message or None)

    @command("update_setting", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def update_setting(self, conn: Connection, msg: UpdateSetting) -> Reply:
        """Change a setting; whoever follows it hears of it."""
        await self._set(conn, msg.key, msg.value, msg.description)
        return Reply("setting_updated", key=msg.key, value=msg.value)

    async def _set(self, conn: Connection, key: str, value: Any, description: str | None) -> None:
        peer = conn.peer
        await self._controls.settings.update(
            key, value, description, conn.identity, address=peer.address, user_agent=peer.user_agent
        )
        await self.announce_action(conn.author, "update_setting", key=key, value=value)

    @command("announce", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def announce(self, conn: Connection, msg: Announce) -> Reply:
        """Say something to everybody who follows announcements."""
        said = {"message": msg.message, "level": msg.level}
        await self.record(conn, "announce", **said)
        for name in ANNOUNCEMENTS:
            await self.hub.stream(name).publish("announcement", {"data": said})
        return Reply("announced", **said)

    @command("publish", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def publish(self, conn: Connection, msg: PublishMessage) -> Reply:
        """Publish a message as another service would."""
        await self.record(conn, "publish", channel=msg.channel, event=msg.event)
        position = await self._controls.publish(msg.channel, msg.event, msg.data)
        return Reply("published", channel=msg.channel, **position)

    # ── switches and flags ──────────────────────────────────────────────────────────────

    @command("set_endpoint", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def set_endpoint(self, conn: Connection, msg: SetEndpoint) -> Reply:
        """Switch an endpoint off for everybody (4503: clients fall back), or on again."""
        if msg.name not in self._controls.endpoints:
            raise WireError("ENDPOINT_NOT_FOUND", f"There is no endpoint {msg.name}")
        if msg.name == self.path:
            raise WireError("INVALID_REQUEST", "Who switches this off cannot switch it on again")
        await self._put(conn, "set_endpoint", Flag(ENDPOINT + msg.name, msg.enabled))
        return Reply("endpoint_set", name=msg.name, enabled=msg.enabled)

    @command("set_flag", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def set_flag(self, conn: Connection, msg: SetFlag) -> Reply:
        """Set a feature flag; pages that follow ``public.flags`` hear of it."""
        if msg.name.startswith(ENDPOINT):
            raise WireError("INVALID_REQUEST", "Endpoints are switched by set_endpoint")
        known = self._controls.flags.get(msg.name) or Flag(msg.name, enabled=False)
        changes: dict[str, Any] = {}
        if msg.enabled is not UNSET:
            changes["enabled"] = msg.enabled
        if msg.percentage is not UNSET:
            changes["percentage"] = Decimal(str(msg.percentage)).quantize(Decimal("0.01"))
        if msg.wallets is not UNSET:
            changes["wallets"] = tuple(msg.wallets)
        if msg.environments is not UNSET:
            changes["environments"] = tuple(msg.environments)
        flag = msgspec.structs.replace(known, **changes)
        await self._put(conn, "set_flag", flag)
        return Reply("flag_set", flag=_shape(flag))

    async def _put(self, conn: Connection, action: str, flag: Flag) -> None:
        author, flags = conn.author, self._controls.flags
        details = _shape(flag)
        async with self._controls.database.transaction() as connection:
            await flags.put(connection, flag, author.wallet)
            await self._people.record(author, action, connection, **details)
        await flags.load()
        self.apply()
        await self.announce_action(author, action, **details)

    def apply(self) -> None:
        """Close who is on an endpoint that is switched off. Called when flags changed, too."""
        off = {
            path
            for path in self._controls.endpoints
            if not self._controls.flags.switch(ENDPOINT + path, default=True)
        }
        for conn in self._connections if off else ():
            if conn.endpoint in off:
                conn.close(Close.SWITCHED_OFF)

    @command("get_flags", role=Role.ADMIN)
    async def get_flags(self, conn: Connection, msg: Message) -> Reply:
        """Every flag, the server's own switches too."""
        flags = [_shape(flag) for flag in self._controls.flags]
        return Reply("flags", flags=flags, aliases=[f"{ALIAS}ws", f"{ALIAS}v2"])

    @command("get_rollout", role=Role.ADMIN)
    async def get_rollout(self, conn: Connection, msg: Message) -> Reply:
        """How client versions do, as they say themselves."""
        return Reply("rollout", versions=self._controls.rollout.shown())

    @command("drain", role=Role.SUPERADMIN)
    async def drain(self, conn: Connection, msg: Message) -> Reply:
        """Begin the planned end of this process: everybody is sent on his way, then it stops."""
        await self.record(conn, "drain")
        self._controls.drain()
        return Reply("draining")


def _shape(flag: Flag) -> dict[str, Any]:
    return {
        "name": flag.name,
        "enabled": flag.enabled,
        "percentage": float(flag.percentage),
        "wallets": list(flag.wallets),
        "environments": list(flag.environments),
        "updated_at": None if flag.updated_at is None else iso(flag.updated_at.timestamp()),
        "updated_by": flag.updated_by or None,
    }
