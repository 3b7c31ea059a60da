"""Coming to a match and leaving it: the lobby's commands."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from fastws import policy
from fastws.connection import Connection
from fastws.domain.skyduel import Lobby, Match, Player, Seat
from fastws.domain.skyduel.results import shown
from fastws.endpoint import Endpoint, command
from fastws.endpoints.skyduel.shapes import match_fields
from fastws.errors import Code, Denied, WireError
from fastws.hub import PriorityTable, TableSubscription
from fastws.identity import Identity
from fastws.store.skyduel import SkyduelRows
from fastws.wire import Message, Reply

__all__ = ["Matches", "Session"]

MISSING: Final = {"match_id": ("MATCH_NOT_FOUND", "There is no such match")}

Name = Annotated[str, Meta(max_length=32)]


class CreateMatch(Message):
    """``create_match``: a private one is found by its number and its invitation only."""

    mode: Name = "dogfight"
    max_players: Annotated[int, Meta(ge=2, le=16)] = 8
    private: bool = False
    score: Annotated[int, Meta(ge=1, le=100)] = 10
    seconds: Annotated[int, Meta(ge=10, le=1800)] = 180


class OfMatch(Message):
    """A match, by its number."""

    match_id: Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Invited(OfMatch):
    """``join_match``, ``spectate``: ``invite`` of a private one."""

    invite: Annotated[str, Meta(max_length=64)] = ""


class QuickMatch(Message):
    """``quick_match``."""

    mode: Name = "dogfight"


class Ready(Message):
    """``ready``."""

    ready: bool = True


class ListMatches(Message):
    """``list_matches``: all, or those of a status or a mode."""

    status: Literal["lobby", "countdown", "live", "finished", "abandoned"] | None = None
    mode: Name | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Session:
    """What the endpoint keeps for a connection."""

    __slots__ = ("last", "seat")

    def __init__(self) -> None:
        self.seat: Seat | None = None
        self.last: Match | None = None  # the match of the last seat: a rematch is of it


def session(conn: Connection) -> Session:
    """The session of a connection, made at its first command."""
    if conn.state is None:
        conn.state = Session()
    found: Session = conn.state
    return found


class Matches(Endpoint):
    """The part that is about matches, not about what happens in them."""

    _lobby: Lobby
    _rows: SkyduelRows

    @command("create_match", cost=5)
    async def create_match(self, conn: Connection, msg: CreateMatch) -> Reply:
        """Make a match and take its first seat."""
        match = await self._lobby.create(
            await self._player(conn), msg.mode, msg.max_players,
            private=msg.private, score=msg.score, seconds=msg.seconds,
        )  # fmt: skip
        return self._sit(conn, match.seats[0])

    @command("join_match", invalid=MISSING, cost=2)
    async def join_match(self, conn: Connection, msg: Invited) -> Reply:
        """Take a seat, or take up again the seat one has."""
        seat = self._lobby.seat_of(conn.identity.wallet)
        if seat is None or seat.match.id != msg.match_id:  # one's own is there without a database
            seat = self._lobby.join(msg.match_id, await self._player(conn), msg.invite)
        return self._sit(conn, seat)

    @command("quick_match", cost=5)
    async def quick_match(self, conn: Connection, msg: QuickMatch) -> Reply:
        """A seat in an open match that begins by itself."""
        return self._sit(conn, await self._lobby.quick(await self._player(conn), msg.mode))

    @command("rematch", cost=5)
    async def rematch(self, conn: Connection, msg: Message) -> Reply:
        """A seat in the match that follows the one that ended."""
        last = session(conn).last
        if last is None:
            raise WireError("NOT_IN_MATCH", "You were not in a match")
        return self._sit(conn, await self._lobby.rematch(last, await self._player(conn)))

    @command("ready")
    async def ready(self, conn: Connection, msg: Ready) -> Reply:
        """Say that one is ready to begin, or not yet."""
        seat = self.seat(conn)
        if seat.match.status not in ("lobby", "countdown"):
            raise WireError("MATCH_STARTED", "The match has begun")
        self._lobby.set_ready(seat, msg.ready)
        return Reply("ready_set", match_id=seat.match.id, ready=msg.ready)

    @command("leave_match")
    async def leave_match(self, conn: Connection, msg: Message) -> Reply:
        """Give one's seat up for good."""
        seat = self.seat(conn)
        session(conn).seat = conn.outlet.instant = None
        self._lobby.leave(seat)
        self._reseat(conn, seat.match)
        return Reply("match_left", match_id=seat.match.id)

    @command("spectate", invalid=MISSING)
    async def spectate(self, conn: Connection, msg: Invited) -> Reply:
        """Look at a match; its channels may be followed after this."""
        match = self._lobby.find(msg.match_id)
        if not policy.is_admin(conn.identity):
            self._lobby.admit(match, conn.identity.wallet, msg.invite)
        if match.private:
            self._invited.setdefault(match.id, set()).add(conn.identity.wallet or "")
        return Reply("spectating", match=match_fields(match))

    @command("list_matches", cost=2)
    async def list_matches(self, conn: Connection, msg: ListMatches) -> Reply:
        """Public matches, newest first."""
        found = [
            match_fields(match)
            for match in reversed(list(self._lobby))
            if not match.private
            and msg.status in (None, match.status)
            and msg.mode in (None, match.kind.mode)
        ]
        return Reply("matches", matches=found[: msg.limit])

    @command("get_result", invalid=MISSING, cost=2)
    async def get_result(self, conn: Connection, msg: OfMatch) -> Reply:
        """How a match ended, from the database."""
        found = await self._rows.result(msg.match_id)
        if found is None or self.hidden(conn.identity, msg.match_id):
            raise WireError("MATCH_NOT_FOUND", "There is no such match")
        if found[0].status == "open":
            raise WireError("MATCH_NOT_FINISHED", "The match has no result yet")
        return Reply("match_result", **shown(*found))

    # ── seats ───────────────────────────────────────────────────────────────────────────

    _invited: dict[int, set[str]]

    def hidden(self, identity: Identity, id: int) -> bool:
        """Whether a private match that is here is not for this identity to see."""
        match = self._lobby.get(id)
        if match is None or not match.private or policy.is_admin(identity):
            return False
        wallet = identity.wallet
        if wallet is None:
            return True
        return not match.had(wallet) and wallet not in self._invited.get(id, ())

    async def _player(self, conn: Connection) -> Player:
        wallet = conn.identity.wallet
        if wallet is None:
            raise Denied("Log in to play")
        name = conn.identity.nickname or f"{wallet[:4]}…{wallet[-4:]}"
        return Player(wallet, name[:32], rating=await self._rows.rating(wallet))

    def seat(self, conn: Connection) -> Seat:
        """The seat that a connection steers."""
        seat = session(conn).seat
        if seat is None or seat.left or seat.holder is not conn:
            raise WireError("NOT_IN_MATCH", "You have no seat in a match")
        return seat

    def _sit(self, conn: Connection, seat: Seat) -> Reply:
        before = self._lobby.take(seat, conn)
        if isinstance(before, Connection):
            session(before).seat = before.outlet.instant = None
            before.tell(Reply("seat_taken", match_id=seat.match.id))
            self._reseat(before, seat.match)
        state = session(conn)
        state.seat, state.last = seat, seat.match
        seat.stick.bucket = conn.allowance.bucket("input")
        seat.stick.on_refused = partial(self.refuse, conn, seat)
        conn.outlet.instant = seat.stick.take
        self._reseat(conn, seat.match)
        fields: dict[str, Any] = {"match": match_fields(seat.match), "player": seat.number}
        if seat.match.private:
            fields["invite"] = seat.match.invite
        return Reply("match_joined", **fields)

    def refuse(self, conn: Connection, seat: Seat) -> None:
        """Too many inputs: said once, until one was taken again."""
        bucket = seat.stick.bucket
        wait = 0 if bucket is None else bucket.wait(time.monotonic(), 1)
        text = "At most 60 inputs a second"
        conn.error(WireError(Code.RATE_LIMIT_EXCEEDED, text, bucket="input", retry_after_ms=wait))

    def _reseat(self, conn: Connection, match: Match) -> None:
        """Who plays is served first, who does not is not; what he may not see any more ends."""
        for label in (f"match.{match.id}", f"match.{match.id}.own"):
            held = conn.subscriptions.get(label)
            if isinstance(held, TableSubscription) and isinstance(held.channel, PriorityTable):
                held.channel.place(held)
        self.reconsider(conn)
