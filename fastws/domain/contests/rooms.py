"""Who is in the room of a contest, and what of that others are told.

Owns presence: a user is there once, however many tabs he has; one whose connections dropped
stays for `GRACE_SECONDS`, so that a reconnect is not seen. Who is no participant is a spectator
and counted. Administrators are there invisibly until they say otherwise: nothing that leaves
this room speaks of an invisible one. Changes are told once a turn: a thousand joins are one
message.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, Final, Literal, NamedTuple

import structlog

from fastws import wire

__all__ = ["GRACE_SECONDS", "Guest", "Notice", "Room", "Rooms"]

log = structlog.get_logger()

GRACE_SECONDS: Final = 10.0
SINGLE: Final = 10
"""Joins and leaves of a turn that are told one by one; more are told in one message."""

NAMED: Final = 50
"""Users that such a message names, of each kind."""

MILESTONES: Final = frozenset({1, *range(10, 100, 10), *range(100, 10_001, 100)})

Kind = Literal["participant", "spectator", "admin"]


class Guest(NamedTuple):
    """Somebody in a room; without a wallet nobody knows who."""

    wallet: str | None
    nickname: str | None
    role: str | None
    kind: Kind


class Notice(NamedTuple):
    """A message for everybody in a room; ``open``: also for who watches from outside."""

    type: str
    fields: dict[str, Any]
    open: bool = False


class _Present:
    __slots__ = ("connections", "guest", "leaves_at", "visible")

    def __init__(self, guest: Guest, visible: bool) -> None:
        self.guest = guest
        self.visible = visible
        self.connections: set[str] = set()
        self.leaves_at = 0.0  # 0: he is here


class Room:
    """One contest's room. Times are monotonic seconds."""

    def __init__(self, contest: int) -> None:
        self.contest = contest
        self._users: dict[str, _Present] = {}
        self._anonymous: set[str] = set()
        self._joined: dict[str, Guest] = {}
        self._left: dict[str, Guest] = {}
        self._told_spectators = 0
        self._told_admin = False
        self._leaving: set[str] = set()

    def __len__(self) -> int:
        return len(self._users) + len(self._anonymous)

    @property
    def spectators(self) -> int:
        """Who watches: users that take no part, and those that nobody knows."""
        users = sum(one.guest.kind == "spectator" for one in self._users.values())
        return users + len(self._anonymous)

    @property
    def participants(self) -> int:
        """Participants that are here."""
        return sum(one.guest.kind == "participant" for one in self._users.values())

    @property
    def invisible(self) -> int:
        """Administrators whom nobody sees: for administrators."""
        return sum(not one.visible for one in self._users.values())

    @property
    def has_admin(self) -> bool:
        """Whether an administrator is seen here."""
        return any(one.visible and one.guest.kind == "admin" for one in self._users.values())

    def has(self, connection: str, wallet: str | None) -> bool:
        """Whether that connection is in the room."""
        if wallet is None:
            return connection in self._anonymous
        return wallet in self._users and connection in self._users[wallet].connections

    def join(self, connection: str, guest: Guest, *, visible: bool = True) -> None:
        """Somebody comes, or comes again, or comes as something else."""
        if guest.wallet is None:
            self._anonymous.add(connection)
            return
        present = self._users.get(guest.wallet)
        if present is None:
            present = self._users[guest.wallet] = _Present(guest, visible)
            self._note_join(present)
            self._say("contest.joined", guest, visible)
        elif present.guest != guest:
            before, present.guest = present.guest, guest
            if before.kind == "admin" or guest.kind == "admin":
                self._show(present, visible)
        present.connections.add(connection)
        present.leaves_at = 0.0
        self._leaving.discard(guest.wallet)

    def leave(self, connection: str, wallet: str | None, until: float = 0.0) -> None:
        """A connection leaves; a user's last one at ``until``, if that is in the future."""
        if wallet is None:
            self._anonymous.discard(connection)
            return
        present = self._users.get(wallet)
        if present is None or connection not in present.connections:
            return
        present.connections.discard(connection)
        if present.connections:
            return
        if until:
            present.leaves_at = until
            self._leaving.add(wallet)
        else:
            self._remove(wallet)

    def show(self, wallet: str, visible: bool) -> None:
        """An administrator wants to be seen, or not."""
        present = self._users.get(wallet)
        if present is not None:
            self._show(present, visible)

    def sort(self, participants: Container[str]) -> None:
        """Who is here may take part by now, or no more."""
        for wallet, present in self._users.items():
            if present.guest.kind != "admin":
                kind: Kind = "participant" if wallet in participants else "spectator"
                present.guest = present.guest._replace(kind=kind)

    def _show(self, present: _Present, visible: bool) -> None:
        if present.visible == visible:
            return
        if visible:
            present.visible = True
            self._note_join(present)
        else:
            self._note_leave(present)
            present.visible = False
        self._say("contest.admin_presence", present.guest, visible)

    def _remove(self, wallet: str) -> None:
        present = self._users.pop(wallet)
        self._leaving.discard(wallet)
        self._note_leave(present)
        self._say("contest.left", present.guest, present.visible)

    def _note_join(self, present: _Present) -> None:
        wallet = present.guest.wallet
        if present.visible and wallet is not None and self._left.pop(wallet, None) is None:
            self._joined[wallet] = present.guest

    def _note_leave(self, present: _Present) -> None:
        wallet = present.guest.wallet
        if present.visible and wallet is not None and self._joined.pop(wallet, None) is None:
            self._left[wallet] = present.guest

    def _say(self, event: str, guest: Guest, visible: bool) -> None:
        fields = {} if guest.kind != "admin" else {"visible": visible}
        log.info(
            event, contest=self.contest, wallet=guest.wallet, role=guest.role, kind=guest.kind,
            **fields,
        )  # fmt: skip

    # ── what is told ────────────────────────────────────────────────────────────────────

    def turn(self, now: float, moment: float) -> Iterator[Notice]:
        """What changed since the last turn. ``moment`` is Unix seconds."""
        for wallet in [one for one in self._leaving if self._users[one].leaves_at <= now]:
            self._remove(wallet)
        contest = {"contestId": str(self.contest)}
        if self.has_admin != self._told_admin:
            self._told_admin = self.has_admin
            yield Notice("admin_presence", {**contest, "active": self._told_admin})
        yield from self._presences(contest, wire.iso(moment))
        spectators = self.spectators
        if spectators != self._told_spectators:
            self._milestone(self._told_spectators, spectators)
            self._told_spectators = spectators
            yield Notice("spectator_count", {**contest, "count": spectators}, open=True)

    def _presences(self, contest: dict[str, Any], moment: str) -> Iterator[Notice]:
        joined, self._joined = list(self._joined.values()), {}
        left, self._left = list(self._left.values()), {}
        if len(joined) + len(left) <= SINGLE:
            for action, guests in (("join", joined), ("leave", left)):
                for guest in guests:
                    user = {**_user(guest), "timestamp": moment}
                    yield Notice("user_presence", {**contest, "action": action, "user": user})
            return
        yield Notice(
            "user_presence_batch",
            {
                **contest,
                "joined": [_user(guest) for guest in joined[:NAMED]],
                "left": [_user(guest) for guest in left[:NAMED]],
                "joinedCount": len(joined),
                "leftCount": len(left),
                "participantCount": self.participants,
            },
        )

    def _milestone(self, before: int, now: int) -> None:
        passed = [one for one in MILESTONES if before < one <= now]
        if passed:
            log.info("contest.spectators", contest=self.contest, milestone=max(passed), now=now)


def _user(guest: Guest) -> dict[str, Any]:
    return {"wallet": guest.wallet, "nickname": guest.nickname}


class Rooms:
    """The rooms that somebody is in, or was a moment ago."""

    def __init__(self) -> None:
        self._rooms: dict[int, Room] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def get(self, contest: int) -> Room | None:
        """A room in which somebody is."""
        return self._rooms.get(contest)

    def of(self, contest: int) -> Room:
        """The room of a contest."""
        found = self._rooms.get(contest)
        if found is None:
            found = self._rooms[contest] = Room(contest)
            log.info("contest.room_opened", contest=contest)
        return found

    def turn(self, now: float, moment: float) -> list[tuple[int, Notice]]:
        """What is to be told, by room; rooms that nobody is in are closed."""
        notices = []
        for room in self:
            notices += [(room.contest, notice) for notice in room.turn(now, moment)]
            if not room:
                del self._rooms[room.contest]
                log.info("contest.room_closed", contest=room.contest)
        return notices
