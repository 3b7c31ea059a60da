"""``/contest``: contests, their leaderboards, rooms and chat (wire.md A6).

One endpoint, a file a subject; `Contest` is all of them together, and tells rooms what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from fastws.config import ContestConfig
from fastws.connection import Connection
from fastws.domain.contests import Chat, Contests, Entry, Leaderboards, Lifecycle, Rooms
from fastws.domain.people import People
from fastws.endpoint import Base, command
from fastws.endpoints.contest import shapes
from fastws.endpoints.contest.attending import Attending
from fastws.endpoints.contest.states import MISSING_ID, OfContest
from fastws.hub import Stream
from fastws.identity import Role
from fastws.store.pool import Database
from fastws.wire import Reply

__all__ = ["Contest"]

FIGURES_SECONDS: Final = 2.0
"""Seconds between two messages on ``admin.contests``."""


SWEEP_SECONDS: Final = 60.0
"""Seconds between two looks for users' channels that nobody follows."""


class SetContestStatus(OfContest):
    """``set_contest_status``: begin, end or cancel a contest before its time."""

    status: Literal["active", "completed", "cancelled"]
    reason: Annotated[str, Meta(max_length=500)] = ""


class Contest(Attending):
    """Contests with leaderboards, rooms and chat."""

    path = "contest"
    public_channels = ("public.contests",)

    def __init__(
        self,
        base: Base,
        database: Database,
        config: ContestConfig,
        *,
        contests: Contests,
        leaderboards: Leaderboards,
        rooms: Rooms,
        chat: Chat,
        lifecycle: Lifecycle,
        people: People,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(base)
        self._monotonic = monotonic
        self._database = database
        self._contests = contests
        self._leaderboards = leaderboards
        self._rooms = rooms
        self._chat = chat
        self._lifecycle = lifecycle
        self._people = people
        self._list_seconds = config.list_seconds
        self._flush_ms = config.leaderboard_ms
        self._changes: list[tuple[Entry | None, Entry | None]] = []
        self._told: dict[int, int] = {}  # tick of the board that outsiders were told
        self._listed_at = self._figures_at = self._swept_at = 0.0
        contests.on_changed.append(self.changed)

    def welcome(self, conn: Connection) -> Reply:
        """What this client may do."""
        authenticated = conn.identity.authenticated
        admin = self._may(conn, "admin.contests")
        return Reply(
            "welcome",
            message="Contest WebSocket Connected",
            capabilities={
                "contests": True,
                "chat": authenticated,
                "leaderboard": True,
                "participant": authenticated,
                "admin": admin,
            },
        )

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """One's own channel; the administrators' for them."""
        wallet = conn.identity.wallet
        return () if wallet is None else (f"user.{wallet}", "admin.contests")

    @command("set_contest_status", role=Role.ADMIN, invalid=MISSING_ID)
    async def set_contest_status(self, conn: Connection, msg: SetContestStatus) -> Reply:
        """Begin, end or cancel a contest now."""
        contest, author = self.find(conn, msg).contest.id, conn.author
        async with self._database.transaction() as connection:
            before = await self._lifecycle.become(connection, contest, msg.status)
            details = {"contest_id": contest, "before": before, "status": msg.status}
            await self._people.record(
                author, "set_contest_status", connection, **details, reason=msg.reason
            )
        self._contests.ask(contest)
        return Reply("contest_status_set", contestId=str(contest), status=msg.status)

    # ── what is told without being asked ────────────────────────────────────────────────

    def changed(self, before: Entry | None, entry: Entry | None) -> None:
        """A contest is another: its channels hear of it in the next turn."""
        super().changed(before, entry)
        self._changes.append((before, entry))

    async def turn(self) -> None:
        """Tell rooms who came and went, channels what changed. Ten times a second."""
        now, moment = self._monotonic(), self.clock()
        changes, self._changes = self._changes, []
        for before, entry in changes:
            await self._tell_change(before, entry)
        for contest, notice in self._rooms.turn(now, moment):
            await self._publish(f"contest.{contest}", notice.type, notice.fields)
            if notice.open:
                await self._publish(f"public.contest.{contest}", notice.type, notice.fields)
            if notice.type == "admin_presence":
                await self._tell_state(contest)
        if now - self._listed_at >= self._list_seconds:
            self._listed_at = now
            await self._tell_outsiders()
        if now - self._figures_at >= FIGURES_SECONDS:
            self._figures_at = now
            await self._publish("admin.contests", "contest_rooms", {"rooms": self.figures()})
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            for kind in ("user", "participant"):
                self.hub.drop_idle(f"{self.path}/{kind}.")

    async def _publish(self, label: str, type_: str, fields: dict[str, Any]) -> None:
        """To a stream that somebody has followed; the others have nothing to resume."""
        found = self.hub.find(f"{self.path}/{label}")
        if isinstance(found, Stream):
            await found.publish(type_, fields)

    async def _tell_change(self, before: Entry | None, entry: Entry | None) -> None:
        known = entry or before
        if known is None:
            return
        contest = known.contest.id
        if entry is None:
            for kind in ("contest", "leaderboard", "chat", "public.contest"):
                self.hub.drop(f"{self.path}/{kind}.{contest}")
            for channel in self.hub.channels:
                if channel.name.startswith(f"{self.path}/participant.") and (
                    channel.label.endswith(f".{contest}")
                ):
                    self.hub.drop(channel.name)
            return
        if before is None or before.contest != entry.contest or before.tokens != entry.tokens:
            await self._tell_state(contest)
            if entry.public:
                fields = self.fields(entry, "spectator")
                await self._publish("public.contests", "contest_update", fields)
        people = {} if before is None else before.participants
        for wallet in people.keys() | entry.participants.keys():
            if people.get(wallet) != entry.participants.get(wallet):
                reply = self.participant(entry, wallet)
                label = f"participant.{wallet}.{contest}"
                await self._publish(label, reply.type, dict(reply.fields))

    async def _tell_state(self, contest: int) -> None:
        entry = self._contests.get(contest)
        if entry is None:
            return
        await self._publish(f"contest.{contest}", "contest_state", self.fields(entry, "user"))
        public = self.fields(entry, "spectator")
        await self._publish(f"public.contest.{contest}", "contest_state", public)

    async def _tell_outsiders(self) -> None:
        """The top of each board that is watched from outside, if it changed."""
        for entry in self._contests:
            contest = entry.contest.id
            found = self.hub.find(f"{self.path}/public.contest.{contest}")
            board = self._leaderboards.get(contest)
            if found is None or not found.followers or board is None:
                continue
            if self._told.get(contest) != board.table.tick:
                self._told[contest] = board.table.tick
                fields = self.board_fields(board, shapes.TOP)
                await self._publish(f"public.contest.{contest}", "leaderboard_update", fields)
