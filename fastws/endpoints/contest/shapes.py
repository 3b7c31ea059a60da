"""What clients see of a contest, by who they are (wire.md A6). Money is a number of SOL."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from fastws.domain.contests import Board, Entry, Room
from fastws.store.contests import Participant
from fastws.wire import iso

__all__ = ["TOP", "leaderboard", "participant", "room_figures", "state"]

TOP: Final = 100
"""Entries that those see who watch from outside."""


def state(entry: Entry, room: Room | None, level: str = "spectator") -> dict[str, Any]:
    """A contest as a ``spectator``, a ``user`` or an ``admin`` sees it."""
    contest = entry.contest
    found: dict[str, Any] = {
        "id": str(contest.id),
        "name": contest.name,
        "description": contest.description,
        "start_time": iso(contest.start_time.timestamp()),
        "end_time": iso(contest.end_time.timestamp()),
        "status": contest.status,
        "prize_pool": float(contest.prize_pool),
        "tokenIds": entry.tokens,
        "hasAdminPresence": room is not None and room.has_admin,
        "spectatorCount": 0 if room is None else room.spectators,
        "participantCount": len(entry.participants),
    }
    if level != "spectator":
        found["entry_fee"] = float(contest.entry_fee)
        found["participant_limit"] = contest.max_participants
        found["rules"] = entry.settings.get("rules")
    if level == "admin":
        found |= {
            "contest_code": contest.code,
            "current_prize_pool": float(contest.current_prize_pool),
            "settings": dict(entry.settings),
            "allowed_buckets": contest.allowed_buckets,
            "participant_count": contest.participant_count,
            "min_participants": contest.min_participants,
            "max_participants": contest.max_participants,
        }
    return found


def leaderboard(board: Board, moment: float, most: int | None = None) -> dict[str, Any]:
    """Everybody's place as it is sealed, best first."""
    rows = [(key, board.table.get(key)) for key in board.table.rows()]
    places = sorted((row["rank"], key, row) for key, row in rows if row is not None)
    return {
        "contestId": str(board.entry.contest.id),
        "entries": [_place(key, row) for _, key, row in places[:most]],
        "updatedAt": iso(moment),
    }


def _place(wallet: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rank": row["rank"],
        "wallet": wallet,
        "nickname": row["nickname"] or None,
        "value": _number(row["value"]),
        "returnPct": _number(row["return_pct"]),
        "entryTime": iso(row["entry_time"] / 1000),
    }


def _number(cell: tuple[int, int]) -> float:
    mantissa, exponent = cell
    return float(Decimal(mantissa).scaleb(exponent))


def participant(wallet: str, found: Participant | None, board: Board | None) -> dict[str, Any]:
    """Whether somebody takes part, since when, and what his portfolio is worth now."""
    if found is None:
        return {"isParticipant": False, "walletAddress": wallet}
    row = None if board is None else board.table.get(wallet)
    balance = found.initial_balance
    return {
        "isParticipant": True,
        "entryTime": iso(found.entry_time.timestamp()),
        "walletAddress": wallet,
        "status": found.status,
        "initialBalance": None if balance is None else float(balance),
        "portfolioValue": None if row is None else _number(row["value"]),
    }


def room_figures(room: Room) -> dict[str, Any]:
    """A room in numbers, for administrators."""
    return {
        "contestId": str(room.contest),
        "participants": room.participants,
        "spectators": room.spectators,
        "invisibleAdmins": room.invisible,
        "present": len(room),
    }
