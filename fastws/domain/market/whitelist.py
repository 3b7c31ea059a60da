"""The whitelist: tokens as administrators want them listed, whatever a source says.

Owns the entries in memory and their effect on the market. A change is in PostgreSQL, with its
row in ``admin_logs``, before it has any effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from msgspec import UNSET, structs

from fastws.domain.market.book import Market
from fastws.domain.market.tokens import Token
from fastws.errors import WireError
from fastws.identity import Author
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.whitelist import Entry, WhitelistRows

__all__ = ["Whitelist"]

log = structlog.get_logger()

SET: Final = ("symbol", "name", "decimals", "image_url")


class Whitelist:
    """Entries over ``market``: make it before any source writes there."""

    def __init__(
        self, market: Market, database: Database, rows: WhitelistRows, audit: Audit
    ) -> None:
        self._market = market
        self._database = database
        self._rows = rows
        self._audit = audit
        self._entries: dict[str, Entry] = {}
        self.on_changed: list[Callable[[str, Entry, str], Awaitable[None]]] = []
        """Called with what was done (added, edited, removed), the entry, and by whom."""
        market.amend = self._amend

    def entries(self) -> list[Entry]:
        """Every entry, by symbol; those that are off the list too."""
        return sorted(self._entries.values(), key=lambda entry: (entry.symbol, entry.address))

    async def load(self) -> None:
        """Read the entries and list what they name. Raises `StoreUnavailable`."""
        for entry in await self._rows.all():
            self._take(entry)

    async def add(self, author: Author, address: str, **given: Any) -> Entry:
        """List a token, or put one back; `WireError` ``ALREADY_LISTED`` if it is listed here."""

        def change(held: Entry | None) -> dict[str, Any]:
            if held is not None and held.listed:
                raise WireError("ALREADY_LISTED", f"{held.symbol} is on the whitelist")
            return {**{name: given.get(name) for name in SET}, "listed": True}

        return await self._change("added", author, address, change)

    async def edit(self, author: Author, address: str, version: int, **given: Any) -> Entry:
        """Change fields of an entry; None leaves a field to the sources, `UNSET` as it is.

        `WireError` ``NOT_LISTED``, or ``CONFLICT`` when somebody was faster than ``version``.
        """

        def change(held: Entry | None) -> dict[str, Any]:
            fields = _fields(_listed(held, address, version))
            return fields | {name: given[name] for name in SET if given[name] is not UNSET}

        return await self._change("edited", author, address, change)

    async def remove(self, author: Author, address: str, version: int) -> Entry:
        """Take a token off the list; sources cannot put it back. Raises as `edit` does."""

        def change(held: Entry | None) -> dict[str, Any]:
            return _fields(_listed(held, address, version)) | {"listed": False}

        return await self._change("removed", author, address, change)

    async def _change(
        self,
        action: str,
        author: Author,
        address: str,
        change: Callable[[Entry | None], dict[str, Any]],
    ) -> Entry:
        """Write the entry and the audit, both or neither; then let it take effect."""
        async with self._database.transaction() as connection:
            fields = change(await self._rows.lock(connection, address))
            entry = await self._rows.put(connection, address, author.wallet, **fields)
            await self._audit.write(
                author.wallet,
                f"whitelist_{action}",
                {"address": address, **fields, "version": entry.version},
                address=author.address,
                user_agent=author.user_agent,
                connection=connection,
            )
        self._take(entry)
        for listener in self.on_changed:
            await listener(action, entry, author.wallet)
        return entry

    def _take(self, entry: Entry) -> None:
        held = self._entries.get(entry.address)
        if held is not None and held.version > entry.version:
            return  # a later change was faster to get here
        self._entries[entry.address] = entry
        known = self._market.metadata(entry.address)
        if known is None:
            if not entry.listed:
                return
            known = Token(address=entry.address, symbol=entry.symbol)
        try:
            self._market.upsert(known)
        except ValueError as error:  # the market is full
            log.warning("whitelist.not_listed", address=entry.address, reason=str(error))

    def _amend(self, token: Token) -> Token:
        """A token as a source says it, with what is set here before it."""
        entry = self._entries.get(token.address)
        if entry is None:
            return token
        said = {name: getattr(entry, name) for name in SET if getattr(entry, name) is not None}
        return structs.replace(token, **said, listed=entry.listed)


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in (*SET, "listed")}


def _listed(held: Entry | None, address: str, version: int) -> Entry:
    if held is None or not held.listed:
        raise WireError("NOT_LISTED", f"{address[:64]} is not on the whitelist")
    if held.version != version:
        text = f"{held.symbol} was changed by somebody else; it is version {held.version} now"
        raise WireError("CONFLICT", text, version=held.version)
    return held
