"""The lobby: which matches there are, who plays where, and what ends by itself.

A player has at most one seat in a match that is not over. Matches are numbered by the database.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import structlog

from fastws._core.table import Column, Table
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.domain.skyduel.game import Game, Rules
from fastws.domain.skyduel.match import STATUSES, Match, Notice, Player, Seat
from fastws.errors import WireError
from fastws.store.skyduel import SkyduelRows

__all__ = ["MODES", "PHASES", "Lobby"]

log = structlog.get_logger()

MODES: Final[Mapping[str, type[Game]]] = {Dogfight.mode: Dogfight}
"""The games there are, by mode."""

GRACE_SECONDS: Final = 30.0
"""How long a seat is kept for a player whose connection is lost."""

IDLE_SECONDS: Final = 600.0
"""How long a lobby waits in which nothing happens."""

SHOWN_SECONDS: Final = 60.0
"""How long a match that ended can be seen."""

PHASES: Final = 4
"""Parts of a step over which matches are spread, by their number."""

LIST_SECONDS: Final = 1.0
"""Seconds between two looks at who leads and watches."""

MATCHES: Final = 1000
"""Matches at once."""

COLUMNS: Final = (
    Column("mode", "text"),
    Column("status", "text"),
    Column("players", "int"),
    Column("max_players", "int"),
    Column("spectators", "int"),
    Column("leader", "text"),
)


class Lobby:
    """All matches. ``clock`` is Unix seconds."""

    def __init__(self, rows: SkyduelRows, hz: int, epoch: int, clock: Callable[[], float]) -> None:
        self._rows = rows
        self.hz = hz
        self._epoch = epoch
        self._clock = clock
        self._matches: dict[int, Match] = {}
        self._playing: dict[str, Seat] = {}  # by wallet
        self._looking = asyncio.Lock()
        self._coming: set[str] = set()  # wallets for whom a match is being made
        self.running: tuple[dict[Match, None], ...] = tuple({} for _ in range(PHASES))
        self.changed: set[Match] = set()  # by who came or went: its followers are to be told
        self.table = Table("matches", COLUMNS, epoch)
        self._listed: set[str] = set()
        self._listed_at = 0.0
        self._inputs: Counter[str] = Counter()  # of matches that are gone
        self.notices: deque[Notice] = deque()
        self.on_notice: Callable[[], None] = lambda: None
        self.on_made: Callable[[Match], None] = lambda match: None
        self.on_gone: Callable[[Match], None] = lambda match: None
        self.on_ended: Callable[[Match], None] = lambda match: None

    def __iter__(self) -> Iterator[Match]:
        return iter(tuple(self._matches.values()))

    def get(self, id: int) -> Match | None:
        """A match that is here."""
        return self._matches.get(id)

    def seat_of(self, wallet: str | None) -> Seat | None:
        """Where a player sits, if he does."""
        return None if wallet is None else self._playing.get(wallet)

    # ── coming ──────────────────────────────────────────────────────────────────────────

    async def create(
        self,
        player: Player | None,
        mode: str = Dogfight.mode,
        most: int = 8,
        *,
        private: bool = False,
        quick: bool = False,
        score: int = 10,
        seconds: int = 180,
    ) -> Match:
        """A new match in which ``player`` (if any) has the first seat."""
        game = MODES.get(mode)
        if game is None:
            raise WireError("UNKNOWN_MODE", f"There is no mode {mode[:32]!r}", modes=list(MODES))
        if len(self._matches) >= MATCHES:
            raise WireError("TOO_MANY_MATCHES", "Too many matches are going on; try again later")
        least, largest = game.seats
        most = max(least, min(most, largest))
        wallet = "" if player is None else player.wallet
        self._check_free(wallet)
        self._coming.add(wallet)
        try:
            rules = Rules(self.hz, score, seconds)
            id_ = await self._rows.create(mode, wallet, most, rules.score, rules.seconds, private)
        finally:
            self._coming.discard(wallet)
        match = Match(
            id_, game, rules, most, private=private, quick=quick, epoch=self._epoch,
            clock=self._clock, say=self._hear,
        )  # fmt: skip
        self._matches[id_] = match
        self.on_made(match)
        if player is None:
            self._list(match)
        else:
            self.sit(match, player)
        return match

    def sit(self, match: Match, player: Player) -> Seat:
        """Give a player a seat."""
        seat = match.sit(player)
        self._playing[player.wallet] = seat
        self._follow(match)
        return seat

    def join(self, id: int, player: Player, invite: str = "") -> Seat:
        """A seat in a match: one's own again, or a free one."""
        match = self.find(id)
        mine = self.seat_of(player.wallet)
        if mine is not None and mine.match is match:
            return mine
        self.admit(match, player.wallet, invite)
        self._check_free(player.wallet)
        if match.status not in ("lobby", "countdown"):
            raise WireError("MATCH_STARTED", "This match has begun; you may watch it")
        if len(match.seats) >= match.most:
            raise WireError("MATCH_FULL", "Every seat is taken")
        return self.sit(match, player)

    async def quick(self, player: Player, mode: str = Dogfight.mode) -> Seat:
        """A seat in an open match that begins by itself, or in a new one."""
        mine = self.seat_of(player.wallet)
        if mine is not None and mine.match.quick and not mine.match.over:
            return mine
        self._check_free(player.wallet)
        async with self._looking:  # two who look at once are to find each other
            for match in self:
                free = match.status in ("lobby", "countdown") and len(match.seats) < match.most
                if match.quick and free and match.kind.mode == mode:
                    self._check_free(player.wallet)
                    return self.sit(match, player)
            made = await self.create(player, mode, quick=True)
        return made.seats[0]

    async def rematch(self, match: Match, player: Player) -> Seat:
        """A seat in the match that follows one that ended; who asks first makes it."""
        if not match.over:
            raise WireError("MATCH_NOT_FINISHED", "The match is still going on")
        if not match.had(player.wallet):
            raise WireError("NOT_IN_MATCH", "You were not in this match")
        following = None if match.rematch is None else self.get(match.rematch)
        if following is not None and not following.over:
            return self.join(following.id, player, following.invite)
        rules = match.rules
        made = await self.create(
            player, match.kind.mode, match.most, private=match.private,
            score=rules.score, seconds=rules.seconds,
        )  # fmt: skip
        match.rematch = made.id
        match.say("rematch", next=made.id)
        return made.seats[0]

    def find(self, id: int) -> Match:
        """A match; `WireError` if there is none."""
        match = self.get(id)
        if match is None:
            raise WireError("MATCH_NOT_FOUND", "There is no such match")
        return match

    def admit(self, match: Match, wallet: str | None, invite: str = "") -> None:
        """Raise unless a private match may be known to this one. A wrong code tells nothing."""
        if not match.private or (wallet and match.find(wallet)):
            return
        if not invite:
            raise WireError("MATCH_NOT_FOUND", "There is no such match")
        if not hmac.compare_digest(invite.encode(), match.invite.encode()):
            raise WireError("INVALID_INVITE", "This invitation is not for this match")

    def _check_free(self, wallet: str) -> None:
        if wallet and (wallet in self._playing or wallet in self._coming):
            seat = self._playing.get(wallet)
            id_ = None if seat is None else seat.match.id
            raise WireError("ALREADY_IN_MATCH", "You are in a match; leave it first", match_id=id_)

    # ── leaving ─────────────────────────────────────────────────────────────────────────

    def set_ready(self, seat: Seat, ready: bool) -> None:
        """A player is ready, or not yet; when all are, the match counts down."""
        seat.match.set_ready(seat, ready)
        self._follow(seat.match)

    def drop(self, seat: Seat) -> None:
        """His connection is gone; the seat waits for him."""
        if not seat.left and not seat.match.over:
            seat.holder, seat.dropped_at = None, self._clock()
            seat.match.say("dropped", player=seat.number)

    def take(self, seat: Seat, holder: Any) -> Any:
        """A connection steers a seat from now on; the one that did before, if any."""
        if seat.holder is holder:
            return None
        before, seat.holder = seat.holder, holder
        seat.stick.renew()
        if seat.dropped_at is not None:
            seat.dropped_at = None
            seat.match.say("returned", player=seat.number)
        return before

    def leave(self, seat: Seat, reason: str = "left") -> None:
        """A player goes for good."""
        match = seat.match
        if match.over:
            return
        self._playing.pop(seat.player.wallet, None)
        match.leave(seat, reason)
        self._follow(match)
        if match.status == "finished":
            self.ended(match)
        elif all(one.player.bot for one in match.present):
            self.abandon(match, "Everybody has left")

    def abandon(self, match: Match, reason: str) -> None:
        """End a match without a result."""
        if not match.over:
            match.abandon(reason)
            self.changed.add(match)
            self.ended(match)

    def ended(self, match: Match) -> None:
        """A match is over: its players are free; what is to be kept is handed on."""
        self.running[match.id % PHASES].pop(match, None)
        for seat in match.seats.values():
            if self._playing.get(seat.player.wallet) is seat:
                del self._playing[seat.player.wallet]
        self._list(match)
        self.on_ended(match)

    def turn(self) -> None:
        """What time does: seats that nobody took up again, lobbies that sleep, old matches."""
        now = self._clock()
        listed = now - self._listed_at >= LIST_SECONDS
        if listed:
            self._listed_at = now
        for match in self:
            for seat in match.present:
                if seat.dropped_at is not None and now - seat.dropped_at >= GRACE_SECONDS:
                    self.leave(seat, "timeout")
            if match.status == "lobby" and now - match.changed_at >= IDLE_SECONDS:
                self.abandon(match, "Nothing happened for a long time")
            if listed:
                self._list(match)
            shown = 0.0 if match.game is None else SHOWN_SECONDS  # what never began is nothing
            gone = match.ended_at is not None and now - match.ended_at >= shown
            if gone and (match.stored or match.status == "abandoned"):
                self._inputs += match.inputs()
                del self._matches[match.id]
                self._list(match)
                self.on_gone(match)

    # ── what is seen ────────────────────────────────────────────────────────────────────

    def due(self, phase: int | None = None) -> list[Match]:
        """Matches that may have something to tell now, all or those of a phase."""
        if phase is None:
            return [match for one in range(PHASES) for match in self.due(one)]
        running = self.running[phase]
        waiting = [one for one in self.changed if one.id % PHASES == phase and one not in running]
        return [*running, *waiting]

    def _follow(self, match: Match) -> None:
        match.show()
        self.changed.add(match)
        if match.status in ("countdown", "live"):
            self.running[match.id % PHASES].setdefault(match)
        else:
            self.running[match.id % PHASES].pop(match, None)
        self._list(match)

    def _list(self, match: Match) -> None:
        """The row of a public match."""
        key = str(match.id)
        if match.private:
            return
        if match.id not in self._matches:
            if key in self._listed:
                self._listed.discard(key)
                self.table.remove(key)
            return
        places = match.places()
        row = {
            "mode": match.kind.mode,
            "status": match.status,
            "players": len(match.present),
            "max_players": match.most,
            "spectators": match.spectators,
            "leader": places[0][0].player.name if places else "",
        }
        if key in self._listed:
            self.table.set_row(key, row)
        else:
            self._listed.add(key)
            self.table.add(key, **row)

    def counts(self) -> dict[str, int]:
        """Matches by status."""
        found: dict[str, int] = dict.fromkeys(STATUSES, 0)
        for match in self._matches.values():
            found[match.status] += 1
        return found

    @property
    def players(self) -> int:
        """Who has a seat, bots too."""
        return len(self._playing)

    def inputs(self) -> Counter[str]:
        """Inputs of all players so far, by what became of them."""
        return sum((match.inputs() for match in self), self._inputs)

    def _hear(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.on_notice()
