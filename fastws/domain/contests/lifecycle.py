"""The life of a contest: it begins and ends by the clock or by an administrator, once.

Owns the transitions. Each is one transaction under the contest's row lock, so that of several
processes one does it: at the begin portfolios are bought at the prices of the moment, at the end
standings are computed at those of that moment and stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import structlog

from fastws.domain.contests.book import Contests, Entry
from fastws.domain.contests.leaderboard import CASH, QUANTITY, Price, standings
from fastws.errors import StoreUnavailable, WireError
from fastws.store.contests import Contest, ContestRows, Holdings, Weight
from fastws.store.pool import Database

__all__ = ["Lifecycle"]

log = structlog.get_logger()

NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": ("active", "cancelled"),
    "active": ("completed", "cancelled"),
    "completed": (),
    "cancelled": (),
}
"""Status, and what may come after it."""

BALANCE: Final = Decimal(100)
"""What a participant begins with whom nothing was given; the setting ``initial_balance``."""

STEP: Final = Decimal(1).scaleb(-QUANTITY)

Prices = Callable[[str], Price | None]


class Lifecycle:
    """Moves contests on. ``price`` gives the sealed price of a token."""

    def __init__(
        self,
        database: Database,
        rows: ContestRows,
        contests: Contests,
        price: Prices,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._rows = rows
        self._contests = contests
        self._price = price
        self._clock = clock

    async def turn(self) -> None:
        """Begin and end what is due; what cannot be written now is due again."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        for entry in self._contests:
            status = _due(entry, now)
            late = entry.contest.status == "active" and not entry.participants.keys() <= (
                entry.holdings.keys()
            )
            if status is None and not late:
                continue
            try:
                async with self._database.transaction() as connection:
                    if status is None:
                        await self._admit(connection, entry.contest.id)
                    else:
                        await self.become(connection, entry.contest.id, status)
            except StoreUnavailable:
                return
            except WireError:  # another process was faster
                log.debug("contest.moved_elsewhere", contest=entry.contest.id)
            self._contests.ask(entry.contest.id)

    async def become(self, connection: Any, contest: int, status: str) -> str:
        """Give a contest another status within a transaction; the status it had.

        Raises `WireError` ``CONTEST_NOT_FOUND``, ``INVALID_TRANSITION``.
        """
        found = await self._rows.lock(connection, contest)
        if found is None:
            raise WireError("CONTEST_NOT_FOUND", f"There is no contest {contest}")
        if status not in NEXT[found.status]:
            text = f"A contest that is {found.status} cannot become {status}"
            raise WireError("INVALID_TRANSITION", text)
        if status == "active":
            await self._begin(connection, found)
        elif status == "completed":
            await self._complete(connection, found)
        await self._rows.become(connection, contest, status)
        log.info("contest.status", contest=contest, before=found.status, status=status)
        return found.status

    async def _admit(self, connection: Any, contest: int) -> None:
        """Who came after the begin buys at the prices of now."""
        found = await self._rows.lock(connection, contest)
        if found is not None and found.status == "active":
            await self._begin(connection, found)

    async def _begin(self, connection: Any, contest: Contest) -> None:
        balance = _balance(contest)
        balances = await self._rows.begin_with(connection, contest.id, balance)
        weights = await self._rows.weights(connection, contest.id)
        await self._rows.buy(connection, contest.id, bought(balances, weights, self._price))

    async def _complete(self, connection: Any, contest: Contest) -> None:
        ids = [contest.id]
        people = (await self._rows.participants(ids, connection))[contest.id]
        held = (await self._rows.holdings(ids, connection))[contest.id]
        final = standings(Entry(contest, people), held, self._price)
        if not await self._rows.end(connection, contest.id, final):
            raise WireError("INVALID_TRANSITION", "Its standings are stored already")


def bought(balances: Mapping[str, Decimal], weights: list[Weight], price: Prices) -> Holdings:
    """What everybody holds who puts his weights into tokens; what has no price stays cash."""
    made: Holdings = {wallet: {CASH: balance} for wallet, balance in balances.items()}
    for one in weights:
        found = price(one.address)
        if one.wallet not in made or found is None or found[0] <= 0 or one.weight <= 0:
            continue
        mantissa, exponent = found
        share = balances[one.wallet] * one.weight / 100
        if share > made[one.wallet][CASH]:  # weights of more than 100 percent
            continue
        cost = Decimal(mantissa).scaleb(exponent)
        made[one.wallet][one.address] = (share / cost).quantize(STEP, ROUND_DOWN)
        made[one.wallet][CASH] -= share
    return made


def _balance(contest: Contest) -> Decimal:
    said = contest.settings.get("initial_balance")
    return Decimal(str(said)) if isinstance(said, int | float) and said > 0 else BALANCE


def _due(entry: Entry, now: datetime) -> str | None:
    """What a contest is to become by the clock."""
    contest = entry.contest
    if contest.status == "pending" and contest.start_time <= now:
        enough = len(entry.participants) >= contest.min_participants
        return "active" if enough else "cancelled"
    return "completed" if contest.status == "active" and contest.end_time <= now else None
