"""Chat: messages, their places in their rooms, deletions, mutes and slow mode."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["ChatRows", "Event", "Outcome", "Post"]


class Post(Struct, frozen=True):
    """A message that wants to be stored; ``client_id`` makes it one however often it is sent."""

    sender: str
    text: str
    client_id: str | None = None


class Event(Struct, frozen=True):
    """What a place in a room holds: a message, or the deletion of one.

    ``text`` is None when the message was deleted.
    """

    offset: int
    kind: str
    id: int
    sender: str
    nickname: str | None
    role: str | None
    client_id: str | None
    text: str | None
    at: datetime


class Outcome(NamedTuple):
    """What became of a post: its event, ``fresh`` or known before; or why not and ``until`` when
    (``muted``, ``slow``)."""

    event: Event | None
    fresh: bool
    refused: str | None
    until: datetime | None


_EVENTS: Final = """
    SELECT e.room_offset, e.kind, e.message_id, e.sender, u.nickname, u.role::text, e.client_id,
           CASE WHEN d.message_id IS NULL THEN m.message_text END, m.created_at
    FROM fastws_chat_events e
        JOIN contest_chat_messages m ON m.id = e.message_id
        LEFT JOIN fastws_chat_events d ON d.message_id = e.message_id AND d.kind = 'deleted'
        LEFT JOIN users u ON u.wallet_address = e.sender
"""


class ChatRows:
    """Questions about chat. Writers hand in the connection of their transaction."""

    NOTIFIED = "fastws_chat"
    """Notification channel: ``contest:offset`` of the last event."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def epoch(self) -> int:
        """Number of this numbering: another database is another one. Unix seconds."""
        sql = """
            SELECT extract(epoch FROM applied_at)::bigint FROM fastws_migrations
            WHERE name = '0007_contests.sql'
        """
        return int(await self._database.fetchval(sql))

    async def tails(self) -> dict[int, int]:
        """Offset of the last event by room."""
        sql = "SELECT contest_id, last_offset FROM fastws_chat_rooms"
        rows = await self._database.fetch(sql)
        return {row["contest_id"]: row["last_offset"] for row in rows}

    async def tail(self, contest: int) -> int:
        """Offset of a room's last event."""
        sql = "SELECT last_offset FROM fastws_chat_rooms WHERE contest_id = $1"
        return int(await self._database.fetchval(sql, contest) or 0)

    async def after(self, contest: int, offset: int, limit: int) -> list[Event]:
        """Events after an offset, oldest first."""
        sql = f"""{_EVENTS}
            WHERE e.contest_id = $1 AND e.room_offset > $2 ORDER BY e.room_offset LIMIT $3
        """
        return [_event(row) for row in await self._database.fetch(sql, contest, offset, limit)]

    async def before(self, contest: int, id: int | None, limit: int) -> list[Event]:
        """Messages that are not deleted, with ids below ``id``, newest first."""
        sql = f"""{_EVENTS}
            WHERE e.contest_id = $1 AND e.kind = 'message' AND d.message_id IS NULL
                AND ($2::bigint IS NULL OR e.message_id < $2)
            ORDER BY e.message_id DESC LIMIT $3
        """
        return [_event(row) for row in await self._database.fetch(sql, contest, id, limit)]

    # ── writing ─────────────────────────────────────────────────────────────────────────

    async def say(self, contest: int, posts: Sequence[Post]) -> list[Outcome]:
        """Store posts in their order, each once; what became of each. One transaction."""
        sql = """
            SELECT fresh, refused, until, message
            FROM fastws_chat_say($1, $2::text[], $3::text[], $4::text[]) ORDER BY place
        """
        columns = [[getattr(post, name) for post in posts] for name in Post.__struct_fields__]
        done = await self._database.fetch(sql, contest, *columns)
        events = await self._named([row["message"] for row in done if row["message"]])
        return [
            Outcome(events.get(row["message"]), row["fresh"], row["refused"], row["until"])
            for row in done
        ]

    async def _named(self, ids: list[int]) -> dict[int, Event]:
        """The events of messages by their ids."""
        if not ids:
            return {}
        sql = f"{_EVENTS} WHERE e.message_id = ANY($1) AND e.kind = 'message'"
        return {event.id: event for event in map(_event, await self._database.fetch(sql, ids))}

    async def delete(self, connection: Any, contest: int, id: int) -> str | None:
        """Delete a message; what it said, or None if there is none that is not deleted."""
        sql = """
            SELECT m.message_text FROM contest_chat_messages m
            WHERE m.contest_id = $1 AND m.id = $2 AND NOT EXISTS (
                SELECT FROM fastws_chat_events d WHERE d.message_id = $2 AND d.kind = 'deleted')
        """
        text = await connection.fetchval(sql, contest, id)
        if text is None:
            return None
        sql = """
            INSERT INTO fastws_chat_events (contest_id, room_offset, kind, message_id, sender)
            SELECT contest_id, fastws_chat_next(contest_id), 'deleted', id, sender_wallet_address
            FROM contest_chat_messages WHERE id = $1
        """
        await connection.execute(sql, id)
        return str(text)

    async def mute(self, connection: Any, contest: int, wallet: str, seconds: int, by: str) -> None:
        """Let somebody write no more for so long; 0: he may again."""
        if not seconds:
            sql = "DELETE FROM fastws_chat_mutes WHERE contest_id = $1 AND wallet_address = $2"
            await connection.execute(sql, contest, wallet)
            return
        sql = """
            INSERT INTO fastws_chat_mutes (contest_id, wallet_address, until, muted_by)
            VALUES ($1, $2, now() + make_interval(secs => $3), $4)
            ON CONFLICT (contest_id, wallet_address)
            DO UPDATE SET until = excluded.until, muted_by = excluded.muted_by
        """
        await connection.execute(sql, contest, wallet, float(seconds), by)

    async def slow(self, connection: Any, contest: int, seconds: int) -> None:
        """Let everybody wait so long between two messages; 0: not at all."""
        sql = """
            INSERT INTO fastws_chat_rooms (contest_id, slow_seconds) VALUES ($1, $2)
            ON CONFLICT (contest_id) DO UPDATE SET slow_seconds = excluded.slow_seconds
        """
        await connection.execute(sql, contest, seconds)


def _event(row: Row) -> Event:
    return Event(*row.values())
