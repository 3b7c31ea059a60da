"""The whitelist for administrators: read, add, edit, remove (docs/wire.md, "Whitelist").

Owns their spelling on the wire. ``admin.tokens`` tells administrators of each change.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from fastws.connection import Connection
from fastws.domain.market.tokens import Text, Url, Word
from fastws.domain.market.whitelist import Whitelist
from fastws.endpoint import Endpoint, command
from fastws.hub import Channel, Hub
from fastws.identity import Role
from fastws.store.whitelist import Entry
from fastws.wire import Message, Reply, iso

__all__ = ["WhitelistCommands", "announce_whitelist", "shape"]

LABEL: Final = "admin.tokens"

Address = Annotated[str, Meta(pattern="^[1-9A-HJ-NP-Za-km-z]{32,44}$")]
"""A mint: base58."""

Decimals = Annotated[int, Meta(ge=0, le=255)]
Version = Annotated[int, Meta(ge=1)]


class WhitelistAdd(Message):
    """``whitelist_add``: fields left out are the sources' to say."""

    address: Address
    symbol: Word
    name: Text | None = None
    decimals: Decimals | None = None
    image_url: Url | None = None


class WhitelistEdit(Message):
    """``whitelist_edit``: fields left out stay, null leaves them to the sources."""

    address: Address
    version: Version
    symbol: Word | UnsetType = UNSET
    name: Text | UnsetType | None = UNSET
    decimals: Decimals | UnsetType | None = UNSET
    image_url: Url | UnsetType | None = UNSET


class WhitelistRemove(Message):
    """``whitelist_remove``."""

    address: Address
    version: Version


class WhitelistCommands(Endpoint):
    """The part of token-data for administrators."""

    _whitelist: Whitelist

    def channel(self, label: str) -> Channel | None:
        """``admin.tokens`` beside the others'."""
        if label == LABEL:
            return self.hub.stream(f"{self.path}/{label}")
        return super().channel(label)

    @command("whitelist_get", role=Role.ADMIN)
    async def whitelist_get(self, conn: Connection, msg: Message) -> Reply:
        """Every entry, those that are off the list too."""
        return Reply("whitelist", entries=[shape(one) for one in self._whitelist.entries()])

    @command("whitelist_add", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def whitelist_add(self, conn: Connection, msg: WhitelistAdd) -> Reply:
        """List a token; answered when it and its line in the audit are written."""
        fields = {name: getattr(msg, name) for name in ("symbol", "name", "decimals", "image_url")}
        entry = await self._whitelist.add(conn.author, msg.address, **fields)
        return Reply("whitelist_added", entry=shape(entry))

    @command("whitelist_edit", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def whitelist_edit(self, conn: Connection, msg: WhitelistEdit) -> Reply:
        """Change an entry that is still at that version."""
        fields = {name: getattr(msg, name) for name in ("symbol", "name", "decimals", "image_url")}
        entry = await self._whitelist.edit(conn.author, msg.address, msg.version, **fields)
        return Reply("whitelist_edited", entry=shape(entry))

    @command("whitelist_remove", role=Role.ADMIN, invalid="INVALID_REQUEST")
    async def whitelist_remove(self, conn: Connection, msg: WhitelistRemove) -> Reply:
        """Take a token off the list, whatever sources say."""
        entry = await self._whitelist.remove(conn.author, msg.address, msg.version)
        return Reply("whitelist_removed", entry=shape(entry))


async def announce_whitelist(hub: Hub, action: str, entry: Entry, by: str) -> None:
    """Tell administrators what was done."""
    fields = {"action": action, "entry": shape(entry), "by": by}
    await hub.stream(f"token-data/{LABEL}").publish("whitelist_changed", fields)


def shape(entry: Entry) -> dict[str, Any]:
    """An entry in JSON."""
    return {
        "address": entry.address,
        "symbol": entry.symbol,
        "name": entry.name,
        "decimals": entry.decimals,
        "image_url": entry.image_url,
        "listed": entry.listed,
        "version": entry.version,
        "updated_at": iso(entry.updated_at.timestamp()),
        "updated_by": entry.updated_by,
    }
