"""How matches end for good: places, ratings and the recording, in one transaction, once.

A match is over for its players at once; its result is told when it is stored. While the database
is away results wait here, in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from fastws.domain.skyduel.match import Match
from fastws.errors import StoreUnavailable
from fastws.store.pool import Database
from fastws.store.skyduel import FIRST_RATING, Ended, SkyduelRows, Standing

__all__ = ["Results", "rated"]

log = structlog.get_logger()

STEP: Final = 32
"""What a whole surprise changes a rating by (the K of Elo)."""

AGAIN_SECONDS: Final = 2.0

SUSPECT: Final = 30
"""Inputs of one player that no honest client sends, from which on they are worth a line."""


def rated(before: Mapping[str, int], places: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Ratings after a match: everybody against everybody by Elo, a share of the step each.

    ``places`` are (wallet, place). Source: A. Elo, The Rating of Chessplayers, 1978.
    """
    after: dict[str, int] = {}
    for wallet, place in places:
        change = 0.0
        for other, their in places:
            if other != wallet:
                expected = 1 / (1 + 10 ** ((before[other] - before[wallet]) / 400))
                reached = 1.0 if place < their else 0.5 if place == their else 0.0
                change += reached - expected
        share = STEP / max(len(places) - 1, 1)
        after[wallet] = max(0, before[wallet] + round(share * change))
    return after


class Results:
    """Stores what ended. `run` is a job."""

    def __init__(self, database: Database, rows: SkyduelRows) -> None:
        self._database = database
        self._rows = rows
        self._waiting: deque[Match] = deque()
        self._woken = asyncio.Event()
        self.on_suspect: Callable[[dict[str, Any]], None] = lambda said: None

    @property
    def waiting(self) -> int:
        """Matches that are over and not stored."""
        return len(self._waiting)

    def ended(self, match: Match) -> None:
        """A match is over."""
        if match not in self._waiting and not match.stored:
            self._waiting.append(match)
            self._woken.set()

    async def run(self) -> None:
        """Store what waits, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                try:
                    await self.store(self._waiting[0])
                except StoreUnavailable:
                    log.warning("skyduel.result_waits", matches=len(self._waiting))
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    self._waiting.popleft()

    async def store(self, match: Match) -> None:
        """Store one result and tell it."""
        if match.status == "abandoned":
            await self._rows.abandon(match.id)
            match.stored = True
            return
        places = match.places()
        people = [seat.player.wallet for seat, _, _ in places if not seat.player.bot]
        fair = len(people) == len(places) >= 2
        async with self._database.transaction() as connection:
            before = await self._rows.lock_ratings(connection, people)
            after = dict(before)
            if fair:
                after = rated(before, [(seat.player.wallet, place) for seat, place, _ in places])
            standings = [
                Standing(
                    seat.number, seat.player.wallet, seat.player.name, seat.player.bot, place,
                    score.score, score.deaths, seat.left,
                    before.get(seat.player.wallet, FIRST_RATING),
                    after.get(seat.player.wallet, FIRST_RATING), seat.suspect,
                )
                for seat, place, score in places
            ]  # fmt: skip
            ended = _ended(match, fair)
            if await self._rows.finish(connection, ended, standings) and fair:
                await self._rows.set_ratings(connection, after, match.winner)
        match.stored = True
        for seat, _, _ in places:
            if seat.suspect >= SUSPECT:
                stick = seat.stick
                said = {"wallet": seat.player.wallet, "clamped": stick.clamped}
                said |= {"limited": stick.limited, "fast_clock": stick.fast}
                log.warning("skyduel.suspect", match_id=match.id, **said)
                self.on_suspect({"match_id": match.id, **said})
        match.say("result", **shown(ended, standings))


def _ended(match: Match, fair: bool) -> Ended:
    game, recording = match.game, match.recording
    return Ended(
        id=match.id,
        status="finished",
        winner=match.winner or None,
        steps=match.steps,
        digest="" if game is None else f"{game.digest:016x}",
        rated=fair,
        recording=None if recording is None else recording.pack(),
    )


def shown(ended: Ended, standings: Sequence[Standing]) -> dict[str, Any]:
    """A result as clients see it."""
    return {
        "match_id": ended.id,
        "status": ended.status,
        "winner": ended.winner,
        "steps": ended.steps,
        "digest": ended.digest,
        "rated": ended.rated,
        "results": [
            {
                "player": one.player,
                "wallet": one.wallet,
                "name": one.name,
                "bot": one.bot,
                "place": one.place,
                "score": one.score,
                "deaths": one.deaths,
                "left": bool(one.left),
                "rating_before": one.rating_before,
                "rating_after": one.rating_after,
            }
            for one in standings
        ],
    }
