"""``/system-settings`` (also ``/settings``): read, follow and change settings (wire.md A8).

Owns the spelling of these on the wire. Which settings somebody may see is the domain's to say:
it is asked with the client's identity.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import UNSET, UnsetType

from fastws import policy
from fastws.connection import Connection
from fastws.domain.settings import SettingsBook, not_found, shape
from fastws.endpoint import Base, Endpoint, command
from fastws.hub import Channel
from fastws.identity import Identity, Role
from fastws.store.settings import Setting
from fastws.wire import Message, Reply

__all__ = ["SystemSettings"]

KEY_MISSING: Final = {"key": ("INVALID_REQUEST", "Setting key is required")}
CATEGORY_MISSING: Final = {"category": ("INVALID_REQUEST", "Category is required")}


class OfKey(Message):
    """A message about one setting."""

    key: str


class OfCategory(Message):
    """A message about the settings of a category."""

    category: str


class UpdateSetting(Message):
    """``update_setting``: a new value, and a new description if there is one."""

    key: str
    value: Any
    description: str | None = None


class GetSystemSettings(Message):
    """``GET_SYSTEM_SETTINGS`` of older clients."""

    key: str | None = None
    requestId: Any = UNSET  # noqa: N815 - as they spell it


class SystemSettings(Endpoint):
    """The platform's settings, live."""

    path = "system-settings"
    aliases = ("settings",)

    def __init__(self, base: Base, settings: SettingsBook) -> None:
        super().__init__(base)
        self._settings = settings

    def welcome(self, conn: Connection) -> Reply:
        """Whether this client may change settings."""
        return Reply(
            "welcome",
            message="Connected to System Settings WebSocket",
            canWrite=policy.is_admin(conn.identity),
        )

    async def opening(self, conn: Connection, labels: Collection[str]) -> None:
        """Everything the client may read."""
        conn.tell(await self.get_all_settings(conn, Message()))

    def channel(self, label: str) -> Channel | None:
        """``setting.<key>``, ``category.<name>``, ``public.category.<name>``."""
        return self._settings.channel(label)

    def denied(self, identity: Identity, label: str) -> bool:
        """Settings that are not public are followed by admins only."""
        return not self._settings.may_follow(identity, label)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    @command("get_all_settings")
    async def get_all_settings(self, conn: Connection, msg: Message) -> Reply:
        """Every setting the client may read, by key."""
        return Reply("all_settings", settings=_shapes(self._settings.shown(conn.identity)))

    @command("get_setting", invalid=KEY_MISSING)
    async def get_setting(self, conn: Connection, msg: OfKey) -> Reply:
        """One setting."""
        setting = self._settings.read(conn.identity, msg.key)
        return Reply("setting", key=msg.key, setting=shape(setting))

    @command("get_category_settings", invalid=CATEGORY_MISSING)
    async def get_category_settings(self, conn: Connection, msg: OfCategory) -> Reply:
        """The settings of a category that the client may read."""
        shown = self._settings.shown(conn.identity, msg.category)
        return Reply("category_settings", category=msg.category, settings=_shapes(shown))

    @command("GET_SYSTEM_SETTINGS", invalid="INVALID_REQUEST")
    async def get_system_settings(self, conn: Connection, msg: GetSystemSettings) -> Reply:
        """Values by key, as older clients ask for them."""
        if msg.key:
            shown = {msg.key: self._settings.read(conn.identity, msg.key)}
        else:
            shown = self._settings.shown(conn.identity)
        fields: dict[str, Any] = {"data": {key: one.value for key, one in shown.items()}}
        if not isinstance(msg.requestId, UnsetType):
            fields["requestId"] = msg.requestId
        return Reply("SYSTEM_SETTINGS_UPDATE", **fields)

    # ── following ───────────────────────────────────────────────────────────────────────

    @command("subscribe_setting", invalid=KEY_MISSING)
    async def subscribe_setting(self, conn: Connection, msg: OfKey) -> Reply:
        """Follow one setting: ``setting_update`` whenever it changes."""
        self._follow_quietly(conn, self._settings.setting_label(conn.identity, msg.key), msg.key)
        return Reply("subscribed", key=msg.key)

    @command("subscribe_category", invalid=CATEGORY_MISSING)
    async def subscribe_category(self, conn: Connection, msg: OfCategory) -> Reply:
        """Follow the settings of a category that the client may read."""
        label = self._settings.category_label(conn.identity, msg.category)
        self._follow_quietly(conn, label, f"{msg.category}.*")
        return Reply("subscribed_category", category=msg.category)

    @command("unsubscribe_setting", invalid=KEY_MISSING)
    async def unsubscribe_setting(self, conn: Connection, msg: OfKey) -> Reply:
        """Stop following a setting; answered also when it was not followed."""
        await self.drop(conn, f"setting.{msg.key}")
        return Reply("unsubscribed", key=msg.key)

    @command("unsubscribe_category", invalid=CATEGORY_MISSING)
    async def unsubscribe_category(self, conn: Connection, msg: OfCategory) -> Reply:
        """Stop following a category; answered also when it was not followed."""
        await self.drop(conn, self._settings.category_label(conn.identity, msg.category))
        return Reply("unsubscribed", category=msg.category)

    def _follow_quietly(self, conn: Connection, label: str, asked: str) -> None:
        """Subscribe; the reply of the older commands is their own."""
        if self.channel(label) is None:
            raise not_found(asked)
        self.join(conn, label).open()

    # ── changing ────────────────────────────────────────────────────────────────────────

    @command(
        "update_setting",
        role=Role.ADMIN,
        denied=("PERMISSION_DENIED", "Only admins can update settings"),
        invalid={
            "key": ("INVALID_REQUEST", "Setting key and value are required"),
            "value": ("INVALID_REQUEST", "Setting key and value are required"),
            "*": ("INVALID_REQUEST", ""),
        },
    )
    async def update_setting(self, conn: Connection, msg: UpdateSetting) -> Reply:
        """Change a setting; written to the audit trail with who did it."""
        made = await self._settings.update(
            msg.key,
            msg.value,
            msg.description,
            conn.identity,
            address=conn.peer.address,
            user_agent=conn.peer.user_agent,
        )
        return Reply("setting_updated", key=msg.key, setting=shape(made))


def _shapes(settings: dict[str, Setting]) -> dict[str, dict[str, Any]]:
    return {key: shape(setting) for key, setting in settings.items()}
