"""Chat: messages, their places in their rooms, deletions, mutes and slow mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from fastws.store.pool import Database, Row

__all__ = ["ChatRows", "Event", "Post"]


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

    async def enter(self, connection: Any, contest: int) -> int:
        """Take the room for this transaction; the offset of its last event."""
        await connection.execute(
            "INSERT INTO fastws_chat_rooms (contest_id) VALUES ($1) ON CONFLICT DO NOTHING", contest
        )
        sql = "SELECT last_offset FROM fastws_chat_rooms WHERE contest_id = $1 FOR UPDATE"
        return int(await connection.fetchval(sql, contest))

    async def known(self, connection: Any, contest: int, posts: Sequence[Post]) -> list[Event]:
        """The events of those posts that were stored before."""
        keyed = [post for post in posts if post.client_id is not None]
        if not keyed:
            return []
        sql = f"""{_EVENTS}
            JOIN unnest($2::text[], $3::text[]) AS asked (sender, client_id)
                ON asked.sender = e.sender AND asked.client_id = e.client_id
            WHERE e.contest_id = $1 AND e.kind = 'message'
        """
        senders = [post.sender for post in keyed]
        rows = await connection.fetch(sql, contest, senders, [post.client_id for post in keyed])
        return [_event(row) for row in rows]

    async def muted(
        self, connection: Any, contest: int, wallets: Iterable[str]
    ) -> dict[str, datetime]:
        """Those of the wallets that may not write, and until when."""
        sql = """
            SELECT wallet_address, until FROM fastws_chat_mutes
            WHERE contest_id = $1 AND wallet_address = ANY($2) AND until > now()
        """
        return dict(await connection.fetch(sql, contest, list(wallets)))

    async def add(
        self, connection: Any, contest: int, last: int, posts: Sequence[Post]
    ) -> list[Event]:
        """Store posts in their order; their events. ``last`` is what `enter` gave."""
        sql = """
            INSERT INTO contest_chat_messages (contest_id, sender_wallet_address, message_text)
            SELECT $1, sender, text FROM unnest($2::text[], $3::text[])
                WITH ORDINALITY AS post (sender, text, place) ORDER BY place
            RETURNING id
        """
        senders, texts = [post.sender for post in posts], [post.text for post in posts]
        ids = sorted(row["id"] for row in await connection.fetch(sql, contest, senders, texts))
        keyed = [
            (id_, post.client_id)
            for id_, post in zip(ids, posts, strict=True)
            if post.client_id is not None
        ]
        if keyed:
            sql = """
                UPDATE fastws_chat_events e SET client_id = k.client_id
                FROM unnest($1::bigint[], $2::text[]) AS k (id, client_id)
                WHERE e.message_id = k.id AND e.kind = 'message'
            """
            await connection.execute(sql, *map(list, zip(*keyed, strict=True)))
        sql = f"{_EVENTS} WHERE e.contest_id = $1 AND e.room_offset > $2 ORDER BY e.room_offset"
        return [_event(row) for row in await connection.fetch(sql, contest, last)]

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
        await self.enter(connection, contest)
        sql = "UPDATE fastws_chat_rooms SET slow_seconds = $2 WHERE contest_id = $1"
        await connection.execute(sql, contest, seconds)

    async def slow_seconds(self, connection: Any, contest: int) -> int:
        """Seconds that everybody waits between two messages."""
        sql = "SELECT slow_seconds FROM fastws_chat_rooms WHERE contest_id = $1"
        return int(await connection.fetchval(sql, contest) or 0)


def _event(row: Row) -> Event:
    return Event(*row.values())
