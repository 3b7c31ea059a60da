"""A match: who sits where, the game they play, and its way from the lobby to the end.

Knows no database and no sockets. Times are monotonic seconds but for those that players are told.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

from fastws._core.stick import Stick
from fastws._core.table import Table
from fastws.domain.skyduel.game import Game, Rules, Score
from fastws.domain.skyduel.recording import Recording
from fastws.hub import PriorityTable

__all__ = ["STATUSES", "Match", "Notice", "Player", "Seat", "Status"]

COUNTDOWN_SECONDS: Final = 3.0

Status = Literal["lobby", "countdown", "live", "finished", "abandoned"]
STATUSES: Final[tuple[Status, ...]] = ("lobby", "countdown", "live", "finished", "abandoned")


class Player(Struct, frozen=True):
    """Who plays; ``wallet`` names him."""

    wallet: str
    name: str
    bot: bool = False
    rating: int = 1200


class Notice(Struct, frozen=True):
    """A message on the events of a match."""

    match: Match
    type: str
    fields: dict[str, Any]


class Seat:
    """A player's place. ``holder`` is the connection that steers, None while there is none."""

    __slots__ = ("dropped_at", "holder", "left", "match", "number", "player", "ready", "stick")

    def __init__(self, match: Match, number: int, player: Player) -> None:
        self.match = match
        self.number = number
        self.player = player
        self.ready = player.bot
        self.holder: Any = None
        self.dropped_at: float | None = None
        self.left = ""  # why, once he left for good
        self.stick = Stick(number)

    @property
    def suspect(self) -> int:
        """Inputs that no honest client sends."""
        return self.stick.clamped + self.stick.limited + self.stick.fast


class Match:
    """One match. ``say`` hears every `Notice`."""

    def __init__(
        self,
        id: int,
        game: type[Game],
        rules: Rules,
        most: int,
        *,
        private: bool = False,
        quick: bool = False,
        epoch: int = 1,
        clock: Callable[[], float],
        say: Callable[[Notice], None],
    ) -> None:
        self.id = id
        self.kind = game
        self.rules = rules
        self.most = most
        self.private = private
        self.invite = secrets.token_urlsafe(6) if private else ""
        self.quick = quick
        self.seed = secrets.randbits(63)
        self.seats: dict[int, Seat] = {}  # by number; who left a live match stays
        self.status: Status = "lobby"
        self.starts_at: float | None = None  # Unix seconds
        self.ended_at: float | None = None
        self.changed_at = clock()
        self.winner = ""
        self.rematch: int | None = None
        self.stored = False
        self.game: Game | None = None
        self.recording: Recording | None = None
        self.screens: list[PriorityTable] = []  # channels that show the tables
        self.before_step: list[Callable[[Match], None]] = []
        self._clock = clock
        self._say = say
        self.table = Table(f"match.{id}", game.columns, epoch, common=game.common)
        self.own = Table(f"match.{id}.own", game.own_columns, epoch)
        for key in ("game", *game.rows(most)):
            self.table.add(key)
        for number in range(most):
            self.own.add(f"p{number}")
        self.seal()

    # ── who is here ─────────────────────────────────────────────────────────────────────

    @property
    def present(self) -> list[Seat]:
        """Seats of those who did not leave, in their order."""
        return [seat for _, seat in sorted(self.seats.items()) if not seat.left]

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.status in ("finished", "abandoned")

    @property
    def steps(self) -> int:
        """Steps of the game so far."""
        return self.game.steps if self.game is not None else 0

    @property
    def spectators(self) -> int:
        """Who watches without a seat."""
        return sum(screen.others for screen in self.screens)

    def find(self, wallet: str) -> Seat | None:
        """The seat of a player who has not left."""
        return next((seat for seat in self.present if seat.player.wallet == wallet), None)

    def had(self, wallet: str) -> bool:
        """Whether a player has a seat, or left one that is his for good."""
        return any(seat.player.wallet == wallet for seat in self.seats.values())

    def sit(self, player: Player) -> Seat:
        """Give the first free seat to a player; the caller knows that there is one."""
        number = next(number for number in range(self.most) if number not in self.seats)
        seat = self.seats[number] = Seat(self, number, player)
        seat.ready = seat.ready or self.quick
        self.table.set_row(f"p{number}", {"name": player.name})
        self.say("joined", player=number, name=player.name, wallet=player.wallet)
        self._reconsider()
        return seat

    def set_ready(self, seat: Seat, ready: bool) -> None:
        """He may begin, or not yet."""
        if seat.ready != ready:
            seat.ready = ready
            self.say("ready", player=seat.number, ready=ready)
            self._reconsider()

    def leave(self, seat: Seat, reason: str) -> None:
        """A player is gone for good. In the lobby his seat is free again."""
        if seat.left or self.over:
            return
        seat.left, seat.holder = reason, None
        self.say("left", player=seat.number, reason=reason)
        if self.status in ("lobby", "countdown"):
            del self.seats[seat.number]
            self.table.set_row(f"p{seat.number}", {"name": ""})
            self._reconsider()
        elif self.status == "live" and self.game is not None:
            seat.stick.end()
            self.game.remove(seat.number)
            if self.recording is not None:
                self.recording.leave(self.steps, seat.number)
            if len(self.present) < self.kind.seats[0]:
                self._finish()

    def _reconsider(self) -> None:
        """Count down when all are ready; stop counting when they are not."""
        self.changed_at = self._clock()
        seats = self.present
        go = len(seats) >= self.kind.seats[0] and all(seat.ready for seat in seats)
        if go and self.status == "lobby":
            self.status = "countdown"
            self.starts_at = self._clock() + COUNTDOWN_SECONDS
            self.say("countdown", starts_at=self.starts_at)
        elif not go and self.status == "countdown":
            self.status, self.starts_at = "lobby", None

    # ── the game ────────────────────────────────────────────────────────────────────────

    def turn(self) -> bool:
        """What is due at this moment: the begin, or a step. Whether anything changed."""
        if self.status == "countdown" and self.starts_at is not None:
            if self._clock() < self.starts_at:
                return False
            self._begin()
        elif self.status == "live" and self.game is not None:
            for call in self.before_step:
                call(self)
            if self.game.turn(self.table, self.own, self._clock()):
                for type_, fields in self.game.happened():
                    self.say(type_, **fields)
                if self.game.over:
                    self._finish()
                    self.show()
            return True
        else:
            return False
        self.show()
        return True

    def _begin(self) -> None:
        taken = tuple(seat.number for seat in self.present)
        self.game = self.kind(self.most, taken, self.seed, self.rules)
        self.recording = Recording(self.seed, self.rules, self.most, taken, [])
        for seat in self.present:
            self.game.follow(seat.stick, self.recording.changes)
        self.status = "live"
        self.say("started")

    def _finish(self) -> None:
        self.status, self.ended_at = "finished", self._clock()
        for seat in self.seats.values():
            seat.stick.end()
        best = self.places()
        first = [seat for seat, place, _ in best if place == 1 and not seat.left]
        self.winner = first[0].player.wallet if len(first) == 1 else ""

    def abandon(self, reason: str) -> None:
        """It ends without a result."""
        self.status, self.ended_at = "abandoned", self._clock()
        self.say("abandoned", reason=reason)
        self.show()

    def inputs(self) -> Counter[str]:
        """Inputs by what became of them, and what was wrong with them."""
        found: Counter[str] = Counter()
        for seat in self.seats.values():
            for outcome in ("applied", "late", "limited", "clamped", "fast"):
                found[outcome] += getattr(seat.stick, outcome)
        return found

    def places(self) -> list[tuple[Seat, int, Score]]:
        """Seats with their places, the best first; who left comes last. Equals share a place."""
        if self.game is None:
            return []
        scores = [
            (self.seats[one.seat], one) for one in self.game.scores() if one.seat in self.seats
        ]
        scores.sort(key=lambda pair: (_rank(*pair), pair[0].number))
        found: list[tuple[Seat, int, Score]] = []
        for number, (seat, score) in enumerate(scores):
            shared = number and _rank(seat, score) == _rank(*scores[number - 1])
            found.append((seat, found[-1][1] if shared else number + 1, score))
        return found

    # ── what is seen ────────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Put what is to be seen into the tables and seal them."""
        if self.game is not None:
            self.game.show(self.table, self.own)
        self.table.set_row("game", {"state": min(STATUSES.index(self.status), 3)})
        self.seal()

    def seal(self) -> None:
        """Make what was set visible to the wire."""
        now = self._clock()
        self.table.seal(now)
        self.own.seal(now)

    def say(self, type: str, **fields: Any) -> None:
        """Tell everybody in the match."""
        self._say(Notice(self, type, {"match_id": self.id, "step": self.steps, **fields}))


def _rank(seat: Seat, score: Score) -> tuple[bool, int, int]:
    return bool(seat.left), -score.score, score.deaths
