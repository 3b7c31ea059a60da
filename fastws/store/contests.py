"""Contests, who takes part, and what they hold: the platform's tables and our two beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["Contest", "ContestRows", "Holdings", "Participant", "Standing", "Weight"]

Holdings = dict[str, dict[str, Decimal]]
"""Quantity of a token by wallet and token address."""

_COLUMNS: Final = (
    "id, contest_code, name, description, start_time, end_time, entry_fee, prize_pool, "
    "current_prize_pool, status::text AS status, settings, allowed_buckets, "
    "participant_count, min_participants, max_participants"
)


class Contest(Struct, frozen=True):
    """A row of ``contests``."""

    id: int
    code: str
    name: str
    description: str | None
    start_time: datetime
    end_time: datetime
    entry_fee: Decimal
    prize_pool: Decimal
    current_prize_pool: Decimal
    status: str
    settings: dict[str, Any]
    allowed_buckets: list[int]
    participant_count: int
    min_participants: int
    max_participants: int | None


class Participant(Struct, frozen=True):
    """A row of ``contest_participants``, with the nickname of the user."""

    wallet: str
    nickname: str | None
    entry_time: datetime
    status: str
    initial_balance: Decimal | None
    portfolio_value: Decimal | None
    final_rank: int | None


class Weight(Struct, frozen=True):
    """A token of somebody's portfolio, in percent of what he begins with."""

    wallet: str
    address: str
    weight: int


class Standing(Struct, frozen=True):
    """Where a participant ended."""

    wallet: str
    rank: int
    value: Decimal


class ContestRows:
    """Questions about contests. Transactions hand in their connection: asking for another while
    they hold one, as many as the pool has would wait for each other."""

    NOTIFIED = "fastws_contests"
    """Notification channel: ids, one a line; empty means read everything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, since: datetime, limit: int) -> list[Contest]:
        """Those that wait or go on, and those that ended after ``since``; newest first."""
        sql = f"""
            SELECT {_COLUMNS} FROM contests
            WHERE status IN ('pending', 'active') OR end_time > $1
            ORDER BY id DESC LIMIT $2
        """  # noqa: S608 - constant
        return [_contest(row) for row in await self._database.fetch(sql, since, limit)]

    async def some(self, ids: Iterable[int]) -> list[Contest]:
        """Those of the ids that there are."""
        sql = f"SELECT {_COLUMNS} FROM contests WHERE id = ANY($1)"  # noqa: S608 - constant
        return [_contest(row) for row in await self._database.fetch(sql, list(ids))]

    async def participants(
        self, ids: Iterable[int], connection: Any = None
    ) -> dict[int, list[Participant]]:
        """Who takes part, by contest, first come first."""
        asked = list(ids)
        sql = """
            SELECT p.contest_id, p.wallet_address, u.nickname, p.entry_time, p.status,
                   p.initial_balance, p.portfolio_value, p.final_rank
            FROM contest_participants p LEFT JOIN users u USING (wallet_address)
            WHERE p.contest_id = ANY($1) ORDER BY p.entry_time, p.wallet_address
        """
        found: dict[int, list[Participant]] = {contest: [] for contest in asked}
        for row in await (connection or self._database).fetch(sql, asked):
            contest, *fields = row.values()
            found[contest].append(Participant(*fields))
        return found

    async def holdings(self, ids: Iterable[int], connection: Any = None) -> dict[int, Holdings]:
        """What participants bought, by contest."""
        asked = list(ids)
        sql = """
            SELECT contest_id, wallet_address, token_address, quantity
            FROM fastws_contest_holdings WHERE contest_id = ANY($1)
        """
        found: dict[int, Holdings] = {contest: {} for contest in asked}
        for contest, wallet, address, quantity in await (connection or self._database).fetch(
            sql, asked
        ):
            found[contest].setdefault(wallet, {})[address] = quantity
        return found

    async def tokens(self, ids: Iterable[int]) -> dict[int, list[int]]:
        """Ids of the tokens in the portfolios of a contest."""
        asked = list(ids)
        sql = """
            SELECT contest_id, array_agg(DISTINCT token_id ORDER BY token_id) AS tokens
            FROM contest_portfolios WHERE contest_id = ANY($1) GROUP BY contest_id
        """
        found: dict[int, list[int]] = {contest: [] for contest in asked}
        found |= {
            row["contest_id"]: row["tokens"] for row in await self._database.fetch(sql, asked)
        }
        return found

    # ── the life of a contest ───────────────────────────────────────────────────────────

    async def lock(self, connection: Any, contest: int) -> Contest | None:
        """A contest that nobody else changes before the transaction ends."""
        sql = f"SELECT {_COLUMNS} FROM contests WHERE id = $1 FOR UPDATE"  # noqa: S608
        row = await connection.fetchrow(sql, contest)
        return None if row is None else _contest(row)

    async def become(self, connection: Any, contest: int, status: str) -> None:
        """Set the status."""
        sql = "UPDATE contests SET status = $2::text::contest_status WHERE id = $1"
        await connection.execute(sql, contest, status)

    async def weights(self, connection: Any, contest: int) -> list[Weight]:
        """Portfolios that were not bought yet."""
        sql = """
            SELECT p.wallet_address, t.address, p.weight
            FROM contest_portfolios p JOIN tokens t ON t.id = p.token_id
                JOIN contest_participants c USING (contest_id, wallet_address)
            WHERE p.contest_id = $1 AND NOT EXISTS (
                SELECT FROM fastws_contest_holdings h
                WHERE h.contest_id = $1 AND h.wallet_address = p.wallet_address)
            ORDER BY p.wallet_address, t.address
        """
        return [Weight(*row) for row in await connection.fetch(sql, contest)]

    async def begin_with(
        self, connection: Any, contest: int, balance: Decimal
    ) -> dict[str, Decimal]:
        """What each participant begins with; ``balance`` for those who were given nothing."""
        await connection.execute(
            "UPDATE contest_participants SET initial_balance = $2"
            " WHERE contest_id = $1 AND initial_balance IS NULL",
            contest,
            balance,
        )
        sql = """
            SELECT wallet_address, initial_balance FROM contest_participants WHERE contest_id = $1
        """
        return dict(await connection.fetch(sql, contest))

    async def buy(self, connection: Any, contest: int, holdings: Holdings) -> None:
        """Store what participants hold from now on."""
        sql = """
            INSERT INTO fastws_contest_holdings
                (contest_id, wallet_address, token_address, quantity)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::numeric[])
            ON CONFLICT DO NOTHING
        """
        rows = [
            (wallet, address, quantity)
            for wallet, held in holdings.items()
            for address, quantity in held.items()
        ]
        if rows:
            await connection.execute(sql, contest, *map(list, zip(*rows, strict=True)))

    async def end(self, connection: Any, contest: int, standings: list[Standing]) -> bool:
        """Store the final standings; False if they were stored already."""
        sql = """
            INSERT INTO fastws_contest_ends (contest_id, participants) VALUES ($1, $2)
            ON CONFLICT DO NOTHING RETURNING contest_id
        """
        if await connection.fetchval(sql, contest, len(standings)) is None:
            return False
        sql = """
            UPDATE contest_participants p
            SET rank = s.rank, final_rank = s.rank, portfolio_value = s.value
            FROM unnest($2::text[], $3::int[], $4::numeric[]) AS s (wallet, rank, value)
            WHERE p.contest_id = $1 AND p.wallet_address = s.wallet
        """
        columns: Mapping[str, list[Any]] = {
            name: [getattr(one, name) for one in standings] for name in ("wallet", "rank", "value")
        }
        await connection.execute(sql, contest, *columns.values())
        return True


def _contest(row: Row) -> Contest:
    fields = dict(row)
    if not isinstance(fields["settings"], dict):  # jsonb may be anything
        fields["settings"] = {}
    return Contest(*fields.values())
