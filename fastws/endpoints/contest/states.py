"""What a contest is, who leads and how one's own portfolio does: questions and their channels."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from msgspec import Meta

from fastws import policy, wire
from fastws.connection import Connection
from fastws.domain.contests import Board, Contests, Entry, Leaderboards, Rooms
from fastws.endpoint import Endpoint, command
from fastws.endpoints.contest import shapes
from fastws.errors import Code, Denied, WireError
from fastws.hub import ByKey, Channel
from fastws.identity import Identity
from fastws.wire import Message, Reply

__all__ = ["MISSING_ID", "OfContest", "States"]

LABEL: Final = re.compile(
    r"(?P<kind>contest|leaderboard|chat|public\.contest|participant\.(?P<wallet>[^.]+))\."
    r"(?P<id>[1-9][0-9]{0,9})"
)
OWN: Final = re.compile(r"user\.[^.]+")

LARGEST: Final = 2**31 - 1
"""The largest id of a contest."""

MISSING_ID: Final = {"contestId": ("MISSING_CONTEST_ID", "Contest ID is required")}


class OfContest(Message):
    """A contest; older clients send its id as a number."""

    contestId: Annotated[str, Meta(min_length=1, max_length=20)] | int  # noqa: N815 - the wire's


class GetParticipantStatus(OfContest):
    """``get_participant_status``: one's own, or another's for administrators."""

    wallet: Annotated[str, Meta(max_length=64)] | None = None


class States(Endpoint):
    """The part that reads."""

    _contests: Contests
    _leaderboards: Leaderboards
    _rooms: Rooms
    _list_seconds: float
    _flush_ms: int

    # ── channels ────────────────────────────────────────────────────────────────────────

    def named(self, label: str) -> tuple[str, Entry, str | None] | None:
        """Kind, contest and wallet that a label names; None when there is no such contest."""
        match = LABEL.fullmatch(label)
        if match is None or int(match["id"]) > LARGEST:
            return None
        entry = self._contests.get(int(match["id"]))
        kind = "participant" if match["wallet"] else match["kind"]
        return None if entry is None else (kind, entry, match["wallet"])

    def channel(self, label: str) -> Channel | None:
        """Streams and the leaderboard of a contest; the list; one's own; the administrators'."""
        name = f"{self.path}/{label}"
        if label in ("public.contests", "admin.contests") or OWN.fullmatch(label):
            return self.hub.stream(name)
        named = self.named(label)
        if named is None:
            return None
        kind, entry, _ = named
        if kind == "leaderboard":
            return self.hub.find(name) or self._board_channel(name, entry)
        return self.hub.stream(name)

    def _board_channel(self, name: str, entry: Entry) -> Channel | None:
        board = self._leaderboards.get(entry.contest.id)
        if board is None:
            return None
        label = name.partition("/")[2]

        def encode(since: int) -> bytes:
            fields = self.board_fields(board)
            return wire.encode("leaderboard_update", fields, self.clock(), channel=label)

        return self.hub.table(
            name, board.table, encode, self._list_seconds, flush_ms=self._flush_ms, names=ByKey()
        )

    def board_fields(self, board: Board, most: int | None = None) -> dict[str, Any]:
        """The fields of a ``leaderboard_update``."""
        data = shapes.leaderboard(board, self.clock(), most)
        return {"contestId": data["contestId"], "data": data}

    def is_public(self, label: str) -> bool:
        """The list, public contests from outside, and chats that anybody may read."""
        if label in self.public_channels:
            return True
        named = self.named(label)
        if named is None:
            return False
        kind, entry, _ = named
        return entry.spectated if kind == "public.contest" else kind == "chat" and entry.chat_public

    def denied(self, identity: Identity, label: str) -> bool:
        """Contests and their rooms: who may enter. What does not exist is not denied."""
        named = self.named(label)
        if named is None or policy.is_admin(identity):
            return False
        _, entry, _ = named
        return not entry.admits(identity.wallet)

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """The first data of a channel."""
        if label == "public.contests":
            return [self._all(conn)]
        named = self.named(label)
        if named is None:
            return []
        kind, entry, wallet = named
        board = self._leaderboards.get(entry.contest.id)
        if kind == "contest":
            return [self.state(conn, entry)]
        if kind == "participant" and wallet is not None:
            return [self.participant(entry, wallet)]
        if kind == "leaderboard" and board is not None:
            return [Reply("leaderboard_update", **self.board_fields(board))]
        if kind == "public.contest" and board is not None:
            spectators = Reply("contest_state", **self.fields(entry, "spectator"))
            return [spectators, Reply("leaderboard_update", **self.board_fields(board, shapes.TOP))]
        return []

    # ── questions ───────────────────────────────────────────────────────────────────────

    def find(self, conn: Connection, msg: OfContest) -> Entry:
        """The contest of a message, if this client may know of it."""
        text = str(msg.contestId)
        entry = None
        if text.isdecimal() and text.isascii() and int(text) <= LARGEST:
            entry = self._contests.get(int(text))
        admin = policy.is_admin(conn.identity)
        if entry is None or not (admin or entry.sees(conn.identity.wallet)):
            raise WireError("CONTEST_NOT_FOUND", f"There is no contest {text[:20]}")
        return entry

    def fields(self, entry: Entry, level: str) -> dict[str, Any]:
        """The fields of a ``contest_state`` for that level."""
        contest = entry.contest.id
        data = shapes.state(entry, self._rooms.get(contest), level)
        return {"contestId": str(contest), "data": data}

    def state(self, conn: Connection, entry: Entry) -> Reply:
        """The contest as this client sees it."""
        return Reply("contest_state", **self.fields(entry, _level(conn)))

    def participant(self, entry: Entry, wallet: str) -> Reply:
        """How somebody does."""
        board = self._leaderboards.get(entry.contest.id)
        data = shapes.participant(wallet, entry.participants.get(wallet), board)
        return Reply(
            "participant_update", contestId=str(entry.contest.id), wallet=wallet, data=data
        )

    def _all(self, conn: Connection) -> Reply:
        admin, wallet = policy.is_admin(conn.identity), conn.identity.wallet
        level = _level(conn)
        seen = [entry for entry in self._contests if admin or entry.sees(wallet)]
        seen.sort(key=lambda entry: (entry.contest.start_time, entry.contest.id))
        data = [shapes.state(one, self._rooms.get(one.contest.id), level) for one in seen]
        return Reply("all_contests", data=data)

    @command("get_all_contests", cost=5)
    async def get_all_contests(self, conn: Connection, msg: Message) -> Reply:
        """Every contest one may know of; follows ``public.contests``."""
        self.attach(conn, "public.contests").open()
        return self._all(conn)

    @command("get_contest_state", invalid=MISSING_ID)
    async def get_contest_state(self, conn: Connection, msg: OfContest) -> Reply:
        """A contest as one may see it; follows ``contest.<id>``."""
        entry = self.find(conn, msg)
        self.enter(conn, f"contest.{entry.contest.id}")
        return self.state(conn, entry)

    @command("get_leaderboard", invalid=MISSING_ID, cost=5)
    async def get_leaderboard(self, conn: Connection, msg: OfContest) -> Reply:
        """Who leads; follows ``leaderboard.<id>``."""
        entry = self.find(conn, msg)
        self.enter(conn, f"leaderboard.{entry.contest.id}")
        board = self._leaderboards.get(entry.contest.id)
        if board is None:
            raise WireError("CONTEST_NOT_FOUND", "It has no leaderboard")
        return Reply("leaderboard_update", **self.board_fields(board))

    @command("get_participant_status", invalid=MISSING_ID)
    async def get_participant_status(self, conn: Connection, msg: GetParticipantStatus) -> Reply:
        """Whether one takes part, and how one's portfolio does."""
        entry = self.find(conn, msg)
        wallet = msg.wallet or conn.identity.wallet
        own = wallet == conn.identity.wallet
        if wallet is None or not (own or policy.is_admin(conn.identity)):
            raise Denied("Others' status is for administrators", Code.UNAUTHORIZED)
        return self.participant(entry, wallet)

    def enter(self, conn: Connection, label: str) -> None:
        """Follow a channel of a contest, with what the policy says of it."""
        if not self._may(conn, label):
            raise policy.refusal()
        self.attach(conn, label).open()


def _level(conn: Connection) -> str:
    if policy.is_admin(conn.identity):
        return "admin"
    return "user" if conn.identity.authenticated else "spectator"
