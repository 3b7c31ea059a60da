"""Chat: what is said in the rooms of contests, each message stored before anybody hears of it.

Owns the writers, one a room, which store what waits in one transaction; the order is the
database's, who numbers each room. `ChatLog` is the broker of the chat streams: their history is
the table, so a client resumes after a restart, too. Source: tables.md, "Streams".
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import structlog

from fastws import wire
from fastws._core.limiter import Buckets
from fastws.broker import Encoder, Position, Publication
from fastws.errors import Code, StoreUnavailable, WireError
from fastws.store.chat import ChatRows, Event, Outcome, Post
from fastws.store.pool import Database

__all__ = ["Chat", "ChatLog", "clean", "frame", "label_of", "shown"]

log = structlog.get_logger()

LONGEST: Final = 500
"""Characters of a message."""

BATCH: Final = 100
"""Messages stored in one transaction."""

WAITING: Final = 1000
"""Messages of a room that may wait to be stored."""

PREFIX: Final = "contest/chat."

_REMOVED: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Listener = Callable[[Publication], None]


def clean(text: str) -> str:
    """A message without control characters and without what turns the direction of others'."""
    text = " ".join(text.split())
    return "".join(
        char for char in text if char not in _BIDI and unicodedata.category(char) not in _REMOVED
    ).strip()


def label_of(contest: int) -> str:
    """The channel of a room."""
    return f"chat.{contest}"


def shown(contest: int, event: Event) -> dict[str, Any]:
    """A message as clients see it."""
    return {
        "id": str(event.id),
        "contestId": str(contest),
        "sender": {"wallet": event.sender, "nickname": event.nickname, "role": event.role},
        "text": event.text,
        "timestamp": wire.iso(event.at.timestamp()),
        "isAdmin": event.role in ("admin", "superadmin"),
    }


def frame(contest: int, event: Event) -> bytes:
    """The message that tells of an event, live, resumed or read."""
    fields: dict[str, Any] = {"contestId": str(contest), "offset": event.offset}
    if event.kind == "message" and event.text is not None:
        type_ = "chat_message"
        fields["data"] = shown(contest, event)
    else:  # a message that is deleted by now is told as what it is
        type_ = "chat_message_deleted"
        fields["id"] = str(event.id)
    return wire.encode(type_, fields, event.at.timestamp(), channel=label_of(contest))


class ChatLog:
    """The broker of chat streams (`fastws.broker.StreamLog`): the database numbers and keeps."""

    def __init__(self, rows: ChatRows) -> None:
        self._rows = rows
        self._epoch = 0
        self._tails: dict[int, int] = {}  # of what listeners have heard
        self._listeners: dict[int, list[Listener]] = {}

    async def load(self) -> None:
        """Where each room stands. Call it before a stream is made."""
        self._epoch = await self._rows.epoch()
        self._tails = await self._rows.tails()

    async def publish(self, channel: str, encode: Encoder) -> Position:
        """Chat is published by storing it: `Chat.say`."""
        raise NotImplementedError(channel)

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Hear a room from now on; call the result to stop."""
        listeners = self._listeners.setdefault(_room(channel), [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def position(self, channel: str) -> Position:
        """The last position that is known here."""
        return Position(self._epoch, self._tails.get(_room(channel), 0))

    async def history(self, channel: str, after: int, limit: int) -> list[Publication]:
        """Events with offsets above ``after``, oldest first."""
        contest = _room(channel)
        events = await self._rows.after(contest, after, limit)
        return [self._publication(contest, event) for event in events]

    async def tail(self, channel: str) -> Position:
        """The position of the last event, as the database says."""
        return Position(self._epoch, await self._rows.tail(_room(channel)))

    def known(self, contest: int) -> int:
        """Offset of the last event that was told here."""
        return self._tails.get(contest, 0)

    @property
    def rooms(self) -> list[int]:
        """Those of which streams listen."""
        return [contest for contest, listeners in self._listeners.items() if listeners]

    def tell(self, contest: int, events: list[Event]) -> None:
        """Tell listeners of events that are stored; those they know they pass over."""
        for event in events:
            self._tails[contest] = max(self.known(contest), event.offset)
            for listener in tuple(self._listeners.get(contest, ())):
                listener(self._publication(contest, event))

    def _publication(self, contest: int, event: Event) -> Publication:
        return Publication(Position(self._epoch, event.offset), frame(contest, event))


def _room(channel: str) -> int:
    return int(channel.removeprefix(PREFIX))


Waiting = list[tuple[Post, asyncio.Future[Event]]]


class Chat:
    """Stores what is said and tells the log. Make it before the database is started."""

    def __init__(
        self,
        database: Database,
        rows: ChatRows,
        clock: Callable[[], float],
        per_minute: int = 10,
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._rates = Buckets(per_minute / 60, per_minute)
        self._waiting: dict[int, Waiting] = {}
        self._writers: dict[int, asyncio.Task[None]] = {}
        self._hinted: set[int] = set()
        self._wake = asyncio.Event()
        self.log = ChatLog(rows)
        self.stored = 0
        """Messages stored here."""
        database.listen(ChatRows.NOTIFIED, self._hear, self._missed)

    # ── saying ──────────────────────────────────────────────────────────────────────────

    async def say(self, contest: int, post: Post) -> Event:
        """Store a message; returned when it is committed and told to whoever listens here.

        Raises `WireError` ``RATE_LIMIT_EXCEEDED``, ``MUTED``; `StoreUnavailable` when it is not
        known whether it was stored: the same ``client_id`` finds out.
        """
        wait = self._rates.take((contest, post.sender), self._clock())
        if wait:
            text = "You are sending messages too quickly"
            raise WireError(Code.RATE_LIMIT_EXCEEDED, text, retry_after_ms=wait)
        waiting = self._waiting.setdefault(contest, [])
        if len(waiting) >= WAITING:
            text = "The room is busy; try again in a moment"
            raise WireError(Code.SERVICE_UNAVAILABLE, text, retry_after_ms=1000)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Event] = loop.create_future()
        waiting.append((post, future))
        if contest not in self._writers:
            self._writers[contest] = loop.create_task(self._write(contest))
        return await future

    async def _write(self, contest: int) -> None:
        """Store what waits in a room, until nothing does."""
        try:
            while batch := self._waiting.get(contest, [])[:BATCH]:
                del self._waiting[contest][: len(batch)]
                await self._store(contest, batch)
        finally:
            del self._writers[contest]
            if not self._waiting.get(contest):
                self._waiting.pop(contest, None)

    async def _store(self, contest: int, batch: Waiting) -> None:
        try:
            outcomes = await self._rows.say(contest, [post for post, _ in batch])
            fresh = [outcome.event for outcome in outcomes if outcome.fresh and outcome.event]
            self.stored += len(fresh)
            self.log.tell(contest, fresh)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(_reason(error))
            if not isinstance(error, Exception):
                raise
            if not isinstance(error, StoreUnavailable):
                log.exception("chat.write_failed", contest=contest)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # who asked is gone
                continue
            if outcome.event is None:
                future.set_exception(self._refusal(outcome))
            else:
                future.set_result(outcome.event)

    def _refusal(self, outcome: Outcome) -> WireError:
        until = self._clock() if outcome.until is None else outcome.until.timestamp()
        if outcome.refused == "muted":
            moment = wire.iso(until)
            return WireError("MUTED", f"You may not write here until {moment}", until=moment)
        wait = max(1, int((until - self._clock()) * 1000))
        text = "This room is slow; wait before your next message"
        return WireError(Code.RATE_LIMIT_EXCEEDED, text, retry_after_ms=wait)

    # ── what others wrote ───────────────────────────────────────────────────────────────

    def _hear(self, payload: str) -> None:
        contest, _, offset = payload.partition(":")
        if contest.isdigit() and offset.isdigit() and int(offset) > self.log.known(int(contest)):
            self._hint(int(contest))

    def _hint(self, *contests: int) -> None:
        self._hinted.update(contests)
        self._wake.set()

    async def _missed(self) -> None:
        """The database was away and is back: whatever was notified is lost."""
        self._hint(*self.log.rooms)

    async def run(self) -> None:
        """Tell what other services and processes wrote, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            hinted, self._hinted = self._hinted, set()
            try:
                for contest in hinted:
                    await self._read(contest)
            except StoreUnavailable:
                self._hinted |= hinted  # the next notification, or the database's return
                log.debug("chat.wait", rooms=len(hinted))

    async def _read(self, contest: int) -> None:
        if contest in self._writers:  # our own are on their way; what is left is read after
            await asyncio.wait([self._writers[contest]])
        while events := await self._rows.after(contest, self.log.known(contest), BATCH):
            self.log.tell(contest, events)

    # ── reading and moderation ──────────────────────────────────────────────────────────

    async def before(self, contest: int, id: int | None, limit: int) -> tuple[list[Event], bool]:
        """Messages before one (None: the last), oldest first, and whether there are more."""
        found = await self._rows.before(contest, id, limit + 1)
        return found[:limit][::-1], len(found) > limit

    async def delete(self, connection: Any, contest: int, id: int) -> str:
        """Delete a message for everybody; what it said. `WireError` ``MESSAGE_NOT_FOUND``."""
        text = await self._rows.delete(connection, contest, id)
        if text is None:
            raise WireError("MESSAGE_NOT_FOUND", f"There is no message {id} in this contest")
        return text

    async def mute(self, connection: Any, contest: int, wallet: str, seconds: int, by: str) -> None:
        """Let somebody write no more for so long; 0: he may again."""
        await self._rows.mute(connection, contest, wallet, seconds, by)

    async def slow(self, connection: Any, contest: int, seconds: int) -> None:
        """Let everybody wait so long between two messages."""
        await self._rows.slow(connection, contest, seconds)


def _reason(error: BaseException) -> Exception:
    return error if isinstance(error, StoreUnavailable) else StoreUnavailable("It was not stored")
