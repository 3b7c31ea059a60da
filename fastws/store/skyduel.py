"""Matches of SkyDuel, how they ended, and what players are rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from fastws.store.pool import Database

__all__ = ["FIRST_RATING", "Ended", "SkyduelRows", "Standing"]

FIRST_RATING: Final = 1200


class Ended(Struct, frozen=True):
    """How a match ended. ``digest`` is that of its last step, in hexadecimal."""

    id: int
    status: str
    winner: str | None
    steps: int
    digest: str
    rated: bool
    recording: bytes | None = None


class Standing(Struct, frozen=True):
    """Where a player ended. ``left`` says why he was not there at the end."""

    player: int
    wallet: str
    name: str
    bot: bool
    place: int
    score: int
    deaths: int
    left: str
    rating_before: int
    rating_after: int
    suspect: int


class SkyduelRows:
    """Questions about matches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, mode: str, by: str, most: int, score: int, seconds: int, private: bool
    ) -> int:
        """A new match; its number."""
        sql = """
            INSERT INTO skyduel_matches (mode, created_by, max_players, score, seconds, private)
            VALUES ($1, nullif($2, ''), $3, $4, $5, $6) RETURNING id
        """
        made: int = await self._database.fetchval(sql, mode, by, most, score, seconds, private)
        return made

    async def forsake(self) -> int:
        """Matches that were going on when a server ended are over; how many those were."""
        sql = """
            WITH gone AS (
                UPDATE skyduel_matches SET status = 'abandoned', ended_at = now()
                WHERE status = 'open' RETURNING id)
            SELECT count(*) FROM gone
        """
        return int(await self._database.fetchval(sql))

    async def abandon(self, match: int) -> None:
        """It ended without a result."""
        sql = """
            UPDATE skyduel_matches SET status = 'abandoned', ended_at = now()
            WHERE id = $1 AND status = 'open'
        """
        await self._database.execute(sql, match)

    async def rating(self, wallet: str) -> int:
        """What a player is rated."""
        sql = "SELECT rating FROM skyduel_ratings WHERE wallet_address = $1"
        found = await self._database.fetchval(sql, wallet)
        return FIRST_RATING if found is None else int(found)

    async def lock_ratings(self, connection: Any, wallets: Sequence[str]) -> dict[str, int]:
        """Ratings that nobody else changes before the transaction ends."""
        await connection.execute(
            "INSERT INTO skyduel_ratings (wallet_address, rating)"
            " SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING",
            sorted(wallets),
            FIRST_RATING,
        )
        sql = """
            SELECT wallet_address, rating FROM skyduel_ratings
            WHERE wallet_address = ANY($1) ORDER BY wallet_address FOR UPDATE
        """
        return dict(await connection.fetch(sql, list(wallets)))

    async def set_ratings(self, connection: Any, ratings: Mapping[str, int], winner: str) -> None:
        """Ratings after a match, and one match more."""
        sql = """
            UPDATE skyduel_ratings r
            SET rating = n.rating, matches = matches + 1,
                wins = wins + (r.wallet_address = $3)::int, updated_at = now()
            FROM unnest($1::text[], $2::int[]) AS n (wallet, rating)
            WHERE r.wallet_address = n.wallet
        """
        await connection.execute(sql, list(ratings), list(ratings.values()), winner)

    async def finish(self, connection: Any, ended: Ended, standings: Sequence[Standing]) -> bool:
        """Store how it ended; False if that was stored already."""
        sql = """
            UPDATE skyduel_matches
            SET status = $2, winner = $3, steps = $4, digest = $5, rated = $6, recording = $7,
                ended_at = now()
            WHERE id = $1 AND status = 'open' RETURNING id
        """
        if await connection.fetchval(sql, *structs.astuple(ended)) is None:
            return False
        sql = """
            INSERT INTO skyduel_results (match_id, player, wallet_address, name, bot, place,
                score, deaths, left_early, rating_before, rating_after, suspect)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """
        rows = [(ended.id, *structs.astuple(one)) for one in standings]
        await connection.executemany(sql, rows)
        return True

    async def result(self, match: int) -> tuple[Ended, list[Standing]] | None:
        """How a match ended; None if there is none. One that goes on has the status ``open``."""
        sql = """
            SELECT id, status, winner, coalesce(steps, 0), coalesce(digest, ''), rated
            FROM skyduel_matches WHERE id = $1
        """
        row = await self._database.fetchrow(sql, match)
        if row is None:
            return None
        sql = """
            SELECT player, wallet_address, name, bot, place, score, deaths, left_early,
                   rating_before, rating_after, suspect
            FROM skyduel_results WHERE match_id = $1 ORDER BY place, player
        """
        standings = [Standing(*one) for one in await self._database.fetch(sql, match)]
        return Ended(*row), standings

    async def recording(self, match: int) -> bytes | None:
        """The recording of a match that is finished."""
        sql = "SELECT recording FROM skyduel_matches WHERE id = $1"
        found: bytes | None = await self._database.fetchval(sql, match)
        return found
