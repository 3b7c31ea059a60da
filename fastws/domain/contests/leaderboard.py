"""Leaderboards: what each participant's holdings are worth at the prices of the moment.

Owns a table per contest and the arithmetic, which is in whole units of 1e-8 and rounds down for
each holding: the same prices give the same ranks wherever they are computed. Who is worth more
comes first, then who entered first, then the lesser wallet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from fastws._core.table import Column, Table
from fastws.domain.contests.book import Contests, Entry
from fastws.hub import Hub
from fastws.store.contests import Participant, Standing

__all__ = ["CASH", "COLUMNS", "Board", "Leaderboards", "standings", "worth"]

CASH: Final = ""
"""The address under which what was not spent is held; it is worth 1."""

UNITS: Final = 8
"""Decimals of a value."""

QUANTITY: Final = 18
"""Decimals of a quantity."""

COLUMNS: Final = (
    Column("rank", "int"),
    Column("value", "decimal"),
    Column("return_pct", "decimal"),
    Column("nickname", "text"),
    Column("entry_time", "int"),  # ms
)
TOGETHER: Final = (("value", "return_pct"), ("rank", "value", "return_pct"))

Price = tuple[int, int]
"""Mantissa and exponent."""


CASH_PRICE: Final[Price] = (1, 0)


def worth(quantity: Decimal, price: Price) -> int:
    """Units of 1e-8, rounded down."""
    mantissa, exponent = price
    product = int(quantity.scaleb(QUANTITY)) * mantissa
    shift = exponent - QUANTITY + UNITS
    return int(product * 10**shift) if shift >= 0 else product // 10**-shift


def standings(
    entry: Entry,
    holdings: Mapping[str, Mapping[str, Decimal]],
    price: Callable[[str], Price | None],
) -> list[Standing]:
    """Everybody's place at these prices, best first. A token without a price is worth nothing."""
    values = {}
    for wallet, one in entry.participants.items():
        held = holdings.get(wallet, {CASH: one.initial_balance or Decimal(0)})
        costs = {address: CASH_PRICE if address == CASH else price(address) for address in held}
        values[wallet] = sum(
            worth(quantity, cost)
            for address, quantity in held.items()
            if (cost := costs[address]) is not None
        )
    return [
        Standing(wallet, rank, Decimal(values[wallet]).scaleb(-UNITS))
        for rank, wallet in ranked(values, entry.participants)
    ]


def ranked(
    values: Mapping[str, int], people: Mapping[str, Participant]
) -> Iterator[tuple[int, str]]:
    """Ranks from 1, and whose they are."""
    order = sorted(values, key=lambda one: (-values[one], people[one].entry_time, one))
    return enumerate(order, 1)


class Board:
    """The leaderboard of one contest."""

    def __init__(self, entry: Entry, epoch: int) -> None:
        self.table = Table(f"leaderboard.{entry.contest.id}", COLUMNS, epoch, common=TOGETHER)
        self.priced_at = 0
        """Tick of the prices that its values are of."""
        self._values: dict[str, int] = {}
        self._parts: dict[str, dict[str, int]] = {}  # by wallet and address
        self._holders: dict[str, list[tuple[str, Decimal]]] = {}  # by address
        self._initial: dict[str, int] = {}
        self._listed: set[str] = set()  # rows of the table, sealed or not yet
        self._shown: dict[str, tuple[int, int]] = {}  # rank and value that the table has
        self.entry = entry

    def take(self, entry: Entry, price: Callable[[str], Price | None]) -> None:
        """Another state of the contest: participants, holdings, its end."""
        for wallet in self._listed - set(entry.participants):
            self.table.remove(wallet)
            self._listed.discard(wallet)
            self._shown.pop(wallet, None)
        self.entry = entry
        self._values, self._parts, self._holders = {}, {}, {}
        for wallet, one in entry.participants.items():
            initial = self._initial[wallet] = worth(one.initial_balance or Decimal(0), CASH_PRICE)
            held = entry.holdings.get(wallet)
            parts = {CASH: initial} if held is None else self._bought(wallet, held, price)
            self._parts[wallet] = parts
            self._values[wallet] = sum(parts.values())
            self._describe(wallet)
        if entry.contest.status == "completed":
            self._freeze()
        else:
            self._rank()

    def _bought(
        self, wallet: str, held: Mapping[str, Decimal], price: Callable[[str], Price | None]
    ) -> dict[str, int]:
        parts = {}
        for address, quantity in held.items():
            found = CASH_PRICE if address == CASH else price(address)
            parts[address] = 0 if found is None else worth(quantity, found)
            if address != CASH:
                self._holders.setdefault(address, []).append((wallet, quantity))
        return parts

    def _describe(self, wallet: str) -> None:
        one = self.entry.participants[wallet]
        fields = {
            "nickname": one.nickname or "",
            "entry_time": int(one.entry_time.timestamp() * 1000),
        }
        if wallet in self._listed:
            self.table.set_row(wallet, fields)
        else:
            self._listed.add(wallet)
            self.table.add(wallet, rank=0, value=(0, -UNITS), return_pct=(0, -2), **fields)

    def _freeze(self) -> None:
        for wallet, one in self.entry.participants.items():
            value = worth(one.portfolio_value or Decimal(0), CASH_PRICE)
            self._show(wallet, one.final_rank or 0, value)

    def move(self, prices: Iterable[tuple[str, int, int]], tick: int) -> None:
        """Other prices: (address, mantissa, exponent) of the tokens that changed."""
        moved = False
        for address, mantissa, exponent in prices:
            for wallet, quantity in self._holders.get(address, ()):
                now = worth(quantity, (mantissa, exponent))
                parts = self._parts[wallet]
                self._values[wallet] += now - parts[address]
                parts[address] = now
                moved = True
        self.priced_at = tick
        if moved:
            self._rank()

    def _rank(self) -> None:
        for rank, wallet in ranked(self._values, self.entry.participants):
            self._show(wallet, rank, self._values[wallet])

    def _show(self, wallet: str, rank: int, value: int) -> None:
        if self._shown.get(wallet) == (rank, value):
            return
        self._shown[wallet] = rank, value
        initial = self._initial[wallet]
        gain = (value - initial) * 10_000 // initial if initial else 0
        self.table.set_row(
            wallet, {"rank": rank, "value": (value, -UNITS), "return_pct": (gain, -2)}
        )


class Leaderboards:
    """The boards of the contests at hand, over the token table ``tokens``."""

    def __init__(
        self, hub: Hub, contests: Contests, tokens: Table, flush_ms: int, epoch: int
    ) -> None:
        self._hub = hub
        self._tokens = tokens
        self._flush_ms = flush_ms
        self._epoch = epoch
        self._since = 0
        self._boards: dict[int, Board] = {}
        contests.on_changed.append(self._changed)

    def get(self, contest: int) -> Board | None:
        """The board of a contest at hand."""
        return self._boards.get(contest)

    def price(self, address: str) -> Price | None:
        """What a token costs in the sealed table."""
        row = self._tokens.get(address)
        found: Price | None = None if row is None else row["price"]
        return found

    def _changed(self, before: Entry | None, entry: Entry | None) -> None:
        if entry is None:
            if before is not None and (gone := self._boards.pop(before.contest.id, None)):
                self._hub.remove_table(gone.table)
            return
        board = self._boards.get(entry.contest.id)
        if board is None:
            board = self._boards[entry.contest.id] = Board(entry, self._epoch)
            self._hub.add_table(board.table, self._flush_ms)
        board.take(entry, self.price)
        board.priced_at = self._tokens.tick

    def turn(self) -> None:
        """Value and rank everybody again at the prices that are sealed now."""
        running = [board for board in self._boards.values() if _runs(board)]
        tick = self._tokens.tick
        if tick == self._since or not running:
            return
        moved = self._tokens.numbers("price", self._since)
        self._since = tick
        for board in running:
            board.move(moved, tick)


def _runs(board: Board) -> bool:
    return board.entry.contest.status == "active"
