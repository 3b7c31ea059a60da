"""System settings: a copy in memory that follows the database, and who may see what of it.

Owns the shape of a setting on the wire, which keys are public, and the views that carry
changes to `monitor` and `system-settings`. The database is the truth: what anybody writes there
arrives by notification (keys only), by a slow reading of everything where there is no trigger,
and at once for changes made here. Knows no connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import orjson
import structlog

from fastws import policy, wire
from fastws._core.table import Column, Table
from fastws.errors import StoreUnavailable, WireError
from fastws.hub import Channel, Hub
from fastws.identity import Identity
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.settings import Setting, Settings

__all__ = ["BACKGROUND_SCENE", "SettingsBook", "not_found", "shape"]

log = structlog.get_logger()

BACKGROUND_SCENE: Final = "background_scene"
ACTION: Final = "SETTING_UPDATE"
"""Name of a change in the audit trail."""

RECONCILE_SECONDS: Final = 60.0
"""s between two readings of everything: a database need not have our triggers."""

FLUSH_MS: Final = 100
LONGEST_KEY: Final = 100
LONGEST_DESCRIPTION: Final = 1000

_KEY: Final = re.compile(r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*")
_NUL: Final = re.compile(rb"(?<!\\)(\\\\)*\\u0000")
_TYPES: Final = {bool: "boolean", int: "number", float: "number", str: "string"}

Changed = Callable[[Collection[str]], None]


def shape(setting: Setting) -> dict[str, Any]:
    """A setting as wire.md A8 spells it. A key without a dot has no category."""
    category, dot, name = setting.key.partition(".")
    return {
        "name": name if dot else setting.key,
        "category": category if dot else None,
        "value": setting.value,
        "value_type": _TYPES.get(type(setting.value), "json"),
        "description": setting.description,
        "updatedAt": wire.iso(setting.updated_at.timestamp()),
    }


def not_found(key: str) -> WireError:
    """What is answered for a key that does not exist, or not for who asks."""
    return WireError("SETTING_NOT_FOUND", f'Setting "{key[:LONGEST_KEY]}" not found')


class SettingsBook:
    """All settings. Make it before the database is started: it listens.

    ``public`` names what anybody may read: keys, or ``category.*``. ``clock`` is Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        hub: Hub,
        public: Iterable[str],
        clock: Callable[[], float],
    ) -> None:
        public = list(public)
        self._database = database
        self._store = Settings(database)
        self._audit = Audit(database)
        self._hub = hub
        self._clock = clock
        self._exact = frozenset(key for key in public if not key.endswith(".*"))
        self._prefixes = tuple(key[:-1] for key in public if key.endswith(".*"))
        self._settings: dict[str, Setting] = {}
        self._heard: set[str] = set()
        self._everything = True
        self._wake = asyncio.Event()
        self.on_change: list[Changed] = []
        """Called with the keys that changed, after the book has changed."""
        columns = (Column("setting", "text"), Column("value", "text"))
        self.table = Table("settings", columns, epoch=int(clock() * 1000))
        hub.add_table(self.table, FLUSH_MS)
        hub.view("monitor/system.settings", self.table, self._update_frame, 0.0)
        hub.view("monitor/public.background_scene", self.table, self._scene_frame, 0.0)
        database.listen(Settings.NOTIFIED, self._hear, self._missed)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def is_public(self, key: str) -> bool:
        """Whether anybody may read the setting."""
        return key in self._exact or key.startswith(self._prefixes)

    def may_read(self, identity: Identity, key: str) -> bool:
        """Whether this identity may read it: admins all, others what is public."""
        return self.is_public(key) or policy.is_admin(identity)

    def get(self, key: str) -> Setting | None:
        """A setting for the server's own use."""
        return self._settings.get(key)

    def read(self, identity: Identity, key: str) -> Setting:
        """A setting for a client; `WireError` ``SETTING_NOT_FOUND`` if there is none for him."""
        setting = self._settings.get(key)
        if setting is None or not self.may_read(identity, key):
            raise not_found(key)
        return setting

    def shown(self, identity: Identity, category: str | None = None) -> dict[str, Setting]:
        """Every setting this identity may read, of one category or of all, by key."""
        return {
            key: setting
            for key, setting in self._settings.items()
            if self.may_read(identity, key) and (category is None or key.startswith(f"{category}."))
        }

    # ── following ───────────────────────────────────────────────────────────────────────

    def setting_label(self, identity: Identity, key: str) -> str:
        """The channel of a setting's updates; ``SETTING_NOT_FOUND`` if there is none for him."""
        self.read(identity, key)
        return f"setting.{key}"

    def category_label(self, identity: Identity, category: str) -> str:
        """The channel of a category's updates as far as this identity may read them."""
        if policy.is_admin(identity):
            return f"category.{category}"
        return f"public.category.{category}"

    def may_follow(self, identity: Identity, label: str) -> bool:
        """Whether the identity may follow a channel of ``system-settings``."""
        kind, _, key = label.partition(".")
        return (
            policy.is_admin(identity)
            or (kind == "setting" and self.is_public(key))
            or label.startswith("public.category.")
        )

    def channel(self, label: str) -> Channel | None:
        """A channel of ``system-settings``: of a key or a category that exists."""
        name = f"system-settings/{label}"
        found = self._hub.find(name)
        if found is None:
            concerns = self._concerns(label)
            if any(map(concerns, self._settings)):
                encode = self._updates(label, concerns)
                found = self._hub.view(name, self.table, encode, 0.0)
        return found

    def _concerns(self, label: str) -> Callable[[str], bool]:
        """Whether a key belongs to the channel of that label."""
        kind, _, name = label.partition(".")
        if kind == "setting":
            return name.__eq__
        if kind == "category":
            return lambda key: key.startswith(f"{name}.")
        prefix = label.removeprefix("public.category.") + "."
        return lambda key: kind == "public" and key.startswith(prefix) and self.is_public(key)

    # ── changing ────────────────────────────────────────────────────────────────────────

    async def update(
        self,
        key: str,
        value: Any,
        description: str | None,
        by: Identity,
        *,
        address: str = "",
        user_agent: str = "",
    ) -> Setting:
        """Set a value and write the audit trail, both or neither.

        Raises `WireError` ``INVALID_REQUEST`` for a key or value that cannot be kept.
        """
        _check(key, value, description)
        previous = self._settings.get(key)
        details = {"key": key, "value": value, "previous": previous and previous.value}
        async with self._database.transaction() as connection:
            made = await self._store.set(
                key, value, description, by=by.wallet, connection=connection
            )
            await self._audit.write(
                by.wallet or "",
                ACTION,
                details,
                address=address,
                user_agent=user_agent.replace("\0", ""),
                connection=connection,
            )
        log.info("settings.updated", key=key, wallet=by.wallet)
        self._take({key: made}, [key])
        self._hear(key)  # somebody may have been between our commit and here
        return made

    # ── keeping current ─────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Read everything; `StoreUnavailable` leaves the book as it was."""
        self._everything = False  # whatever is heard from here on may be newer than the answer
        self._heard.clear()
        try:
            everything = await self._store.all()
        except BaseException:
            self._everything = True
            raise
        self._take(everything, dict.fromkeys((*self._settings, *everything)))

    async def run(self) -> None:
        """Follow the database until cancelled."""
        while True:
            try:
                await self._read()
            except StoreUnavailable:
                self._everything = True  # the keys that were asked for are to be asked again
            except Exception:  # a foreign row may be beyond us: say so, go on with the others
                log.exception("settings.read_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_SECONDS):
                    await self._wake.wait()
            if not self._wake.is_set():
                self._everything = True
            self._wake.clear()

    async def _read(self) -> None:
        if self._everything:
            await self.load()
        elif self._heard:
            asked, self._heard = self._heard, set()
            self._take(await self._store.some(asked), sorted(asked))

    def _hear(self, payload: str) -> None:
        """Somebody changed settings: remember which; `run` reads them."""
        self._heard.update(payload.split("\n"))
        if "" in self._heard:
            self._everything = True
        self._wake.set()

    async def _missed(self) -> None:
        """The database is back: whatever was notified meanwhile is lost."""
        self._everything = True
        self._wake.set()

    def _take(self, rows: dict[str, Setting], asked: Iterable[str]) -> None:
        """Take what was read of the keys ``asked``; those without a row are gone."""
        changed = [key for key in asked if rows.get(key) != self._settings.get(key)]
        for key in changed:
            self._put(key, rows.get(key))
        if changed:
            for listener in self.on_change:
                listener(changed)

    def _put(self, key: str, setting: Setting | None) -> None:
        if setting is None:
            del self._settings[key]
            self.table.remove(key)
            return
        cells = {
            "setting": orjson.dumps(shape(setting)).decode(),
            "value": orjson.dumps(setting.value).decode(),
        }
        if key in self._settings:
            self.table.set_row(key, cells)
        else:
            self.table.add(key, **cells)
        self._settings[key] = setting

    # ── frames ──────────────────────────────────────────────────────────────────────────

    def _moved(self, since: int) -> dict[str, dict[str, Any] | None]:
        """Sealed rows by key that changed after a tick; None for those that are gone."""
        table = self.table
        if since < table.floor:
            since = 0
        gone = dict.fromkeys(key for key in table.removed(since) if key not in table)
        return {**gone, **{key: table.get(key) for key in table.changed(since)}}

    def _values(self, since: int) -> dict[str, orjson.Fragment | None]:
        """The values that changed after a tick, a new description alone is no change."""
        return {
            key: _raw(row, "value")
            for key, row in self._moved(since).items()
            if row is None or self.table.ctick(key, "value") > since
        }

    def _update_frame(self, since: int) -> bytes | None:
        data = self._values(since)
        if not data:
            return None
        return self._frame("system_settings", "system.settings", subtype="update", data=data)

    def _scene_frame(self, since: int) -> bytes | None:
        values = self._values(since)
        if BACKGROUND_SCENE not in values:
            return None
        label, data = "public.background_scene", values[BACKGROUND_SCENE]
        return self._frame("system_settings", label, subtype=BACKGROUND_SCENE, data=data)

    def _updates(
        self, label: str, concerns: Callable[[str], bool]
    ) -> Callable[[int], tuple[bytes, ...] | None]:
        def encode(since: int) -> tuple[bytes, ...]:
            return tuple(
                self._frame(
                    "setting_update",
                    label,
                    key=key,
                    setting=_raw(row, "setting"),
                )
                for key, row in self._moved(since).items()
                if concerns(key)
            )

        return encode

    def _frame(self, type: str, label: str, **fields: Any) -> bytes:
        return wire.encode(type, fields, self._clock(), channel=label)


def _check(key: str, value: Any, description: str | None) -> None:
    """Raise ``INVALID_REQUEST`` for what the table cannot keep."""
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key):
        text = f"A key is at most {LONGEST_KEY} letters, digits, _, -, : and single dots"
        raise WireError("INVALID_REQUEST", text)
    if value is None:
        raise WireError("INVALID_REQUEST", "A value must not be null")
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        text = f"A description has at most {LONGEST_DESCRIPTION} characters"
        raise WireError("INVALID_REQUEST", text)
    try:
        text_of_it = orjson.dumps([value, description])
    except TypeError:
        text = "The value is nested too deeply or has a number out of range"
        raise WireError("INVALID_REQUEST", text) from None
    if _NUL.search(text_of_it):
        raise WireError("INVALID_REQUEST", "Text must not contain U+0000")


def _raw(row: dict[str, Any] | None, name: str) -> orjson.Fragment | None:
    """A cell that is JSON already; null for a row that is gone."""
    return None if row is None else orjson.Fragment(row[name])
