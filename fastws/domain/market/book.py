"""The market: the token table, its metadata, and how both are changed and read.

Owns which tokens exist, which of them a symbol means, their figures as scaled integers, and
the legacy frames of token-data. Sources and publishers write, the hub seals and delivers. It
knows no sockets, no clients and nothing of where prices come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

from fastws._core.table import Column, Table
from fastws.domain.market.decimals import Scaled, fit
from fastws.domain.market.feed import Feed
from fastws.domain.market.legacy import Fragment, Listing
from fastws.domain.market.moves import WINDOWS
from fastws.domain.market.tokens import FIGURES, Token, TokenPatch, figures_of, merge
from fastws.wire import iso

__all__ = ["COLUMNS", "TOGETHER", "Market", "Published"]

COLUMNS: Final = (
    *(Column(name, "decimal") for name in FIGURES),
    Column("symbol", "text"),
    Column("name", "text"),
    Column("decimals", "int"),
    Column("listed", "int"),
    Column("revision", "int"),
    *(Column(name, "decimal") for name in WINDOWS),
    Column("trend", "enum"),
    Column("status", "enum"),
)
"""Columns of the token table. ``revision`` grows with the metadata that is not in the table
(links, picture, colour), so that a follower knows when to ask for it again. What follows it is
computed here (`fastws.domain.market.signals`)."""

TOGETHER: Final = (("price",), FIGURES[1:], FIGURES)
"""Columns that usually change together: rows of just these need no mask (docs/wire.md)."""

MAX_TOKENS: Final = 20_000


class Published(NamedTuple):
    """What a publication did: patches applied, tokens born."""

    applied: int
    born: int


class _Entry:
    __slots__ = ("exponents", "fragment", "revision", "row")

    def __init__(self, row: int, token: Token) -> None:
        self.row = row
        self.fragment = Fragment(token)
        self.exponents: list[int | None] = [None] * len(FIGURES)
        self.revision = 0


class Market:
    """All tokens of the platform and their prices."""

    def __init__(
        self, table: Table, clock: Callable[[], float], max_tokens: int = MAX_TOKENS
    ) -> None:
        self.table = table
        self.feed = Feed(clock)
        self.published = 0
        self.amend: Callable[[Token], Token] = lambda token: token
        """What has the last word on metadata that is brought here."""
        self.on_described: list[Callable[[Token, Token], None]] = []
        """Called with the old and the new metadata of a token that was there."""
        self.renamed = 0
        """Grows whenever an address or a symbol may mean another token."""
        self._clock = clock
        self._max = max_tokens
        self._entries: dict[str, _Entry] = {}
        self._by_symbol: dict[str, list[str]] = {}
        self._next_id = 1
        self._listing = Listing(table)

    # -- reading ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def tokens(self) -> Iterator[Token]:
        """The metadata of every token, oldest first."""
        return (entry.fragment.token for entry in self._entries.values())

    def resolve(self, name: str) -> str | None:
        """The key of the token that an address or a symbol means, or None.

        An address means its token. A symbol means the listed token of that name; of several
        listed ones the oldest.
        """
        if name in self._entries:
            return name
        keys = self._by_symbol.get(name)
        return keys[0] if keys else None

    def metadata(self, key: str) -> Token | None:
        """The metadata of the token with this key."""
        entry = self._entries.get(key)
        return entry.fragment.token if entry else None

    def row(self, key: str) -> int:
        """The row of a token in ``table``, for sources that write thousands of prices."""
        return self._entries[key].row

    def figure(self, key: str, name: str) -> Scaled | None:
        """A sealed number of a token as (mantissa, exponent); None while nobody said it."""
        entry = self._entries.get(key)
        if entry is None or name not in entry.fragment.known:
            return None
        row = self.table.get(key)
        return None if row is None else row[name]

    def token_json(self, name: str) -> bytes | None:
        """The Token object of wire.md A5 for an address or symbol, as JSON text.

        Endpoints pass it through as it is, so that its numbers keep every digit. None when
        the token is unknown or not sealed yet.
        """
        key = self.resolve(name)
        if key is None:
            return None
        fragment = self._entries[key].fragment
        return fragment.full if fragment.refresh(self.table) else None

    def token(self, name: str) -> dict[str, Any] | None:
        """`token_json` as a dict: for tests, pages and logs."""
        text = self.token_json(name)
        return None if text is None else orjson.loads(text)

    def all_tokens_json(self) -> bytes:
        """Every token as a JSON array under 1 MiB, written once per tick."""
        return self._listing.json(entry.fragment for entry in self._entries.values())

    # -- writing ---------------------------------------------------------------------------

    def upsert(self, token: Token) -> bool:
        """Add a token or replace its metadata; True when it is new.

        Raises `ValueError` when the market is full.
        """
        token = self.amend(token)
        entry = self._entries.get(token.address)
        if entry is None:
            self._add(token)
            return True
        old = entry.fragment.token
        if not token.id:
            token = _with_id(token, old.id)
        if token == old:
            return False
        if (token.symbol, token.listed) != (old.symbol, old.listed):
            self._forget_symbol(old)
            self._know_symbol(token)
        entry.fragment.describe(token)
        entry.revision += 1
        self.table.set_row(token.address, _cells(token, entry.revision))
        for listener in self.on_described:
            listener(old, token)
        return False

    def remove(self, key: str) -> bool:
        """Take a token off the market; False when there was none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._forget_symbol(entry.fragment.token)
        self.table.remove(key)
        return True

    def set(self, key: str, name: str, value: Scaled, digits: int = 12) -> None:
        """Set one figure; its exponent only becomes finer (see `fit`). KeyError if unknown."""
        entry = self._entries[key]
        column = _COLUMN[name]
        mantissa, exponent = fit(value, entry.exponents[column], digits)
        entry.exponents[column] = exponent
        entry.fragment.known.add(name)
        self.table.set_decimal(entry.row, column, mantissa, exponent)

    def know(self, key: str, names: Sequence[str] = FIGURES) -> int:
        """Declare figures that a source will write straight into ``table``; returns the row."""
        entry = self._entries[key]
        entry.fragment.known.update(names)
        return entry.row

    def publish(self, patches: Sequence[TokenPatch]) -> Published:
        """Apply patches of a publisher, all or none.

        A patch names its token by address or symbol; an unknown address with a symbol is a
        new token. Raises `ValueError` with a sentence that says which patch is wrong and why.
        """
        planned: list[tuple[Token, dict[str, Scaled]]] = []
        merged: dict[str, Token] = {}
        for index, patch in enumerate(patches):
            try:
                key = self._key_of(patch, merged)
                token = merge(merged.get(key) or self.metadata(key), patch, key)
                planned.append((token, figures_of(patch)))
            except ValueError as error:
                raise ValueError(f"data[{index}]: {error}") from None
            merged[key] = token
        born = sum(1 for key in merged if key not in self._entries)
        self._check_room(born)
        for token, figures in planned:
            self.upsert(token)
            for name, value in figures.items():
                self.set(token.address, name, value)
        self.published += len(planned)
        return Published(len(planned), born)

    # -- frames for the hub's views ----------------------------------------------------------

    def list_view(self, type: str, label: str) -> Callable[[int], bytes | None]:
        """An encoder of ``{type, data: [all], channel, timestamp}``; None when unchanged.

        ``type`` is ``token_update`` or ``market_update``; the frame is made once per tick.
        """
        head = b'{"type":' + orjson.dumps(type) + b',"data":'
        tail = b',"channel":' + orjson.dumps(label) + b',"timestamp":"'
        made: tuple[int, bytes] = (-1, b"")

        def encode(since: int) -> bytes | None:
            nonlocal made
            tick = self.table.tick
            if 0 < tick <= since:
                return None
            if made[0] != tick:
                moment = iso(self._clock()).encode()
                made = (tick, head + self.all_tokens_json() + tail + moment + b'"}')
            return made[1]

        return encode

    def token_view(self, name: str, label: str) -> Callable[[int], bytes | None]:
        """An encoder of ``{type: token_data, symbol, data, channel, timestamp}``.

        ``name`` is the symbol or address as the client wrote it: it is resolved at each
        frame, since a listing may move to another address.
        """
        head = b'{"type":"token_data","symbol":' + orjson.dumps(name) + b',"data":'
        tail = b',"channel":' + orjson.dumps(label) + b',"timestamp":"'

        def encode(since: int) -> bytes | None:
            key = self.resolve(name)
            if key is None or self.table.rtick(key) <= since:
                return None
            data = self.token_json(key)
            if data is None:
                return None
            return head + data + tail + iso(self._clock()).encode() + b'"}'

        return encode

    # -- inside ------------------------------------------------------------------------------

    def _key_of(self, patch: TokenPatch, merged: dict[str, Token]) -> str:
        if isinstance(patch.address, str):
            known = patch.address in self._entries or patch.address in merged
            if not known and not isinstance(patch.symbol, str):
                raise ValueError("a new token needs a symbol")
            return patch.address
        if not isinstance(patch.symbol, str):
            raise ValueError("address or symbol is required")
        key = self.resolve(patch.symbol)
        if key is None:
            raise ValueError(f"unknown symbol {patch.symbol}; a new token needs its address")
        return key

    def _check_room(self, more: int) -> None:
        if len(self._entries) + more > self._max:
            raise ValueError(f"the market is full ({self._max} tokens)")

    def _add(self, token: Token) -> None:
        self._check_room(1)
        if not token.id:
            token = _with_id(token, self._next_id)
        self._next_id = max(self._next_id, token.id) + 1
        row = self.table.add(token.address, **_cells(token, 0))
        self._entries[token.address] = _Entry(row, token)
        self._know_symbol(token)

    def _know_symbol(self, token: Token) -> None:
        self.renamed += 1
        if token.listed:
            self._by_symbol.setdefault(token.symbol, []).append(token.address)

    def _forget_symbol(self, token: Token) -> None:
        self.renamed += 1
        keys = self._by_symbol.get(token.symbol, [])
        if token.address in keys:
            keys.remove(token.address)
            if not keys:
                del self._by_symbol[token.symbol]


_COLUMN: Final = {name: index for index, name in enumerate(FIGURES)}


def _cells(token: Token, revision: int) -> dict[str, Any]:
    return {
        "symbol": token.symbol,
        "name": token.name,
        "decimals": token.decimals or 0,
        "listed": int(token.listed),
        "revision": revision,
    }


def _with_id(token: Token, number: int) -> Token:
    fields = {name: getattr(token, name) for name in token.__struct_fields__}
    return Token(**{**fields, "id": number})
