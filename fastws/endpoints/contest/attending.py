"""Rooms: coming and going, and what a room is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import UNSET, UnsetType

from fastws import policy
from fastws.connection import Connection
from fastws.domain.contests import Entry, Guest
from fastws.domain.contests.rooms import GRACE_SECONDS
from fastws.endpoint import command
from fastws.endpoints.contest import shapes
from fastws.endpoints.contest.chatting import Chatting
from fastws.endpoints.contest.states import MISSING_ID, OfContest
from fastws.errors import Denied, WireError
from fastws.hub import Subscription
from fastws.identity import Role
from fastws.wire import Reply, Since, Subscribe

__all__ = ["Attending"]

Visibility = Literal["visible", "invisible"]


class JoinContestRoom(OfContest):
    """``join_contest_room``: administrators come invisibly unless they say otherwise.

    ``since`` is where the client stopped reading the chat.
    """

    visibility: Visibility = "invisible"
    since: Since | UnsetType = UNSET


class SetAdminPresence(OfContest):
    """``set_admin_presence``."""

    visibility: Visibility


class Attending(Chatting):
    """The part that knows who is where."""

    _monotonic: Callable[[], float]

    @command("join_contest_room", "JOIN_ROOM", invalid=MISSING_ID, cost=5)
    async def join_contest_room(self, conn: Connection, msg: JoinContestRoom) -> None:
        """Enter the room of a contest: its channels, its state, and what was said last."""
        entry = self.find(conn, msg)
        contest, wallet = entry.contest.id, conn.identity.wallet
        admin = policy.is_admin(conn.identity)
        if wallet is None or not (admin or entry.admits(wallet)):
            raise Denied("This room is for its participants")
        labels = [f"{kind}.{contest}" for kind in ("contest", "leaderboard", "chat")]
        labels.append(f"participant.{wallet}.{contest}")
        held = [self.attach(conn, label) for label in labels[:2]]
        held.append(await self._attach_chat(conn, labels[2], msg))
        held.append(self.attach(conn, labels[3]))
        room = self._rooms.of(contest)
        visible = not admin or msg.visibility == "visible"
        room.join(conn.id, _guest(conn, entry), visible=visible)
        _joined(conn).add(contest)
        if admin:
            fields = {"active": room.has_admin, "visibility": "visible" if visible else "invisible"}
            conn.reply(Reply("admin_presence", contestId=str(contest), **fields), msg.id)
        elif wallet not in entry.participants:
            count = room.spectators
            conn.reply(Reply("spectator_count", contestId=str(contest), count=count), msg.id)
        conn.reply(self.state(conn, entry), msg.id)
        resumed = msg.since is not UNSET and held[2].recovered
        if not resumed:
            await self._send_initial(conn, labels[2])
        await self._send_initial(conn, labels[1])
        await self._send_initial(conn, labels[3])
        for subscription in held:
            subscription.open()

    async def _attach_chat(
        self, conn: Connection, label: str, msg: JoinContestRoom
    ) -> Subscription:
        channel = self.channel(label)
        if msg.since is UNSET or channel is None:
            return self.attach(conn, label)
        await channel.reach(msg.since)
        return self.attach(conn, label, Subscribe(channel=label, since=msg.since))

    @command("leave_contest_room", "LEAVE_ROOM", invalid=MISSING_ID)
    async def leave_contest_room(self, conn: Connection, msg: OfContest) -> list[Reply]:
        """Leave a room; harmless when one is not in it."""
        text = str(msg.contestId)
        contest = int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else 0
        ends = []
        for label in [label for label in conn.subscriptions if label.endswith(f".{contest}")]:
            named = self.named(label)
            if named is not None and named[0] != "public.contest":
                await self.drop(conn, label)
                ends.append(Reply("unsubscription_confirmed", channel=label))
        self._leave(conn, contest)
        return [*ends, Reply("contest_room_left", contestId=text[:20])]

    @command("set_admin_presence", role=Role.ADMIN, invalid=MISSING_ID)
    async def set_admin_presence(self, conn: Connection, msg: SetAdminPresence) -> Reply:
        """Be seen in a room one is in, or not."""
        entry = self.find(conn, msg)
        contest, wallet = entry.contest.id, conn.identity.wallet
        room = self._rooms.get(contest)
        if wallet is None or room is None or not room.has(conn.id, wallet):
            raise WireError("NOT_IN_ROOM", "You must join the contest room first")
        author = conn.author
        details = {"contest_id": contest, "visibility": msg.visibility}
        await self._people.record(author, "set_admin_presence", None, **details)
        room.show(wallet, msg.visibility == "visible")
        return Reply("admin_presence_updated", contestId=str(contest), visibility=msg.visibility)

    # ── who watches from outside, and who is gone ───────────────────────────────────────

    async def follow(self, conn: Connection, msg: Subscribe) -> None:
        """Who follows a public contest without a login is counted as one who watches."""
        await super().follow(conn, msg)
        named = self.named(msg.channel)
        if named is not None and named[0] == "public.contest" and not conn.identity.authenticated:
            contest = named[1].contest.id
            self._rooms.of(contest).join(conn.id, Guest(None, None, None, "spectator"))
            _joined(conn).add(contest)

    async def left(self, conn: Connection, label: str) -> None:
        """Who stops watching is counted no more."""
        named = self.named(label)
        if named is not None and named[0] == "public.contest" and not conn.identity.authenticated:
            self._leave(conn, named[1].contest.id)

    def closed(self, conn: Connection) -> None:
        """A connection is gone: its user has a while to come back."""
        until = self._monotonic() + GRACE_SECONDS
        for contest in tuple(_joined(conn)):
            self._leave(conn, contest, until)

    def reconsider(self, conn: Connection) -> None:
        """Another role: other channels, and another guest in the rooms he is in."""
        super().reconsider(conn)
        for contest in tuple(_joined(conn)):
            entry, room = self._contests.get(contest), self._rooms.get(contest)
            if entry is None or room is None or self._outside(conn, entry):
                self._leave(conn, contest)
            elif conn.identity.wallet is not None:
                room.join(conn.id, _guest(conn, entry), visible=not policy.is_admin(conn.identity))

    def _outside(self, conn: Connection, entry: Entry) -> bool:
        return not (policy.is_admin(conn.identity) or entry.admits(conn.identity.wallet))

    def _leave(self, conn: Connection, contest: int, until: float = 0.0) -> None:
        _joined(conn).discard(contest)
        room = self._rooms.get(contest)
        if room is not None:
            room.leave(conn.id, conn.identity.wallet, until)

    def figures(self) -> list[dict[str, object]]:
        """Every room in numbers, for administrators."""
        return [shapes.room_figures(room) for room in self._rooms]

    def changed(self, before: Entry | None, entry: Entry | None) -> None:
        """A contest is another: who is in its room may be a participant now."""
        room = None if entry is None else self._rooms.get(entry.contest.id)
        if before is None or entry is None or room is None:
            return
        if before.participants.keys() != entry.participants.keys():
            room.sort(entry.participants)


def _guest(conn: Connection, entry: Entry) -> Guest:
    identity = conn.identity
    participates = identity.wallet in entry.participants
    kind: Literal["participant", "spectator", "admin"] = (
        "admin"
        if policy.is_admin(conn.identity)
        else "participant"
        if participates
        else "spectator"
    )
    nickname = identity.nickname
    if identity.wallet in entry.participants:
        nickname = entry.participants[identity.wallet].nickname or nickname
    return Guest(identity.wallet, nickname, identity.role, kind)


def _joined(conn: Connection) -> set[int]:
    """The rooms that a connection is in."""
    if conn.state is None:
        conn.state = set()
    joined: set[int] = conn.state
    return joined
