"""What clients see of matches (docs/wire.md, "SkyDuel")."""

from __future__ import annotations

from typing import Any

from fastws.domain.skyduel import Match
from fastws.wire import iso

__all__ = ["match_fields", "rows"]


def match_fields(match: Match) -> dict[str, Any]:
    """A match and who sits in it."""
    found: dict[str, Any] = {
        "match_id": match.id,
        "mode": match.kind.mode,
        "status": match.status,
        "private": match.private,
        "hz": match.rules.hz,
        "score": match.rules.score,
        "seconds": match.rules.seconds,
        "max_players": match.most,
        "spectators": match.spectators,
        "players": [
            {
                "player": seat.number,
                "wallet": seat.player.wallet,
                "name": seat.player.name,
                "ready": seat.ready,
                "connected": seat.player.bot or seat.holder is not None,
                "bot": seat.player.bot,
                "rating": seat.player.rating,
            }
            for seat in match.present
        ],
    }
    if match.starts_at is not None:
        found["starts_at"] = iso(match.starts_at)
    if match.winner:
        found["winner"] = match.winner
    return found


def rows(match: Match) -> dict[str, Any]:
    """The state as older clients get it: rows that are in use, by key."""
    cells = {key: match.table.get(key) for key in match.table.rows()}
    shown = {
        key: {name: _plain(value) for name, value in row.items()}
        for key, row in cells.items()
        if row is not None and (row["state"] or key == "game")
    }
    return {"match_id": match.id, "rows": shown}


def _plain(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value
