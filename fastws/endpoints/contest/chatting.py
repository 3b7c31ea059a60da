"""Chat in the room of a contest: saying, reading what was said, and moderation."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from fastws import policy
from fastws.connection import Connection
from fastws.domain.contests import Chat, Entry
from fastws.domain.contests.chat import LONGEST, clean, frame, label_of, shown
from fastws.domain.people import People
from fastws.endpoint import command
from fastws.endpoints.contest.states import MISSING_ID, OfContest, States
from fastws.errors import Code, Denied, WireError
from fastws.hub import Channel
from fastws.identity import Role
from fastws.store.chat import Post
from fastws.store.pool import Database
from fastws.wire import Reply

__all__ = ["Chatting"]

ON_JOIN: Final = 20
"""Messages that somebody gets who comes."""

CHAT_KEEP: Final = 2000
"""Messages of a room that are at hand for who comes back; older ones are read."""

CHAT_SECONDS: Final = 0.08
"""Seconds between two deliveries of a busy room: a hundred messages a second to thousands of
readers are a dozen writes a second to each, not a hundred."""

MISSING_TEXT: Final = {
    **MISSING_ID,
    "text": ("MISSING_MESSAGE_TEXT", "Message text is required"),
}


class SendChatMessage(OfContest):
    """``send_chat_message``: the same ``clientId`` again is the same message."""

    text: str
    clientId: Annotated[str, Meta(min_length=1, max_length=64)] | None = None  # noqa: N815


class GetChatHistory(OfContest):
    """``get_chat_history``: messages before an id; without one the last."""

    before: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class DeleteChatMessage(OfContest):
    """``delete_chat_message``: the message is ``id``; ``messageId`` where that is the request's."""

    messageId: str | int | None = None  # noqa: N815


class MuteUser(OfContest):
    """``mute_user``: for so many seconds; 0: he may write again."""

    wallet: Annotated[str, Meta(min_length=1, max_length=64)]
    seconds: Annotated[int, Meta(ge=0, le=31_536_000)]


class SetSlowMode(OfContest):
    """``set_slow_mode``: seconds between two messages of one user; 0: none."""

    seconds: Annotated[int, Meta(ge=0, le=3600)]


class Chatting(States):
    """The part that talks."""

    _chat: Chat
    _people: People
    _database: Database

    def channel(self, label: str) -> Channel | None:
        """``chat.<id>``, whose history is the database."""
        named = self.named(label)
        if named is not None and named[0] == "chat":
            name = f"{self.path}/{label}"
            return self.hub.stream(name, CHAT_KEEP, self._chat.log, CHAT_SECONDS)
        return super().channel(label)

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """The last messages of a room, oldest first, up to where the subscription begins."""
        named = self.named(label)
        if named is None or named[0] != "chat":
            return await super().initial(conn, label)
        contest = named[1].contest.id
        at = getattr(conn.subscriptions.get(label), "cursor", 0)
        events, _ = await self._chat.before(contest, None, ON_JOIN)
        return [frame(contest, event) for event in events if event.offset <= at]

    def present(self, conn: Connection, entry: Entry) -> bool:
        """Whether this connection is in the room."""
        room = self._rooms.get(entry.contest.id)
        return room is not None and room.has(conn.id, conn.identity.wallet)

    @command("send_chat_message", "SEND_CHAT_MESSAGE", invalid=MISSING_TEXT)
    async def send_chat_message(self, conn: Connection, msg: SendChatMessage) -> Reply:
        """Say something in a room one is in; accepted when it is stored."""
        wallet = conn.identity.wallet
        if wallet is None:
            raise Denied("Chat needs a login", Code.UNAUTHORIZED)
        entry = self.find(conn, msg)
        if not self.present(conn, entry):
            text = "You must join the contest room to send messages"
            raise WireError("NOT_IN_ROOM", text)
        text = clean(msg.text)
        if not text:
            raise WireError("MISSING_MESSAGE_TEXT", "Message text is required")
        if len(text) > LONGEST:
            raise WireError("MESSAGE_TOO_LONG", f"At most {LONGEST} characters", limit=LONGEST)
        contest = entry.contest.id
        event = await self._chat.say(contest, Post(wallet, text, msg.clientId))
        return Reply(
            "chat_message_accepted",
            contestId=str(contest),
            id=str(event.id),
            offset=event.offset,
            clientId=msg.clientId,
        )

    @command("get_chat_history", invalid=MISSING_ID, cost=5)
    async def get_chat_history(self, conn: Connection, msg: GetChatHistory) -> Reply:
        """What was said before, oldest first."""
        entry = self.find(conn, msg)
        contest = entry.contest.id
        if not self._may(conn, label_of(contest)):
            raise policy.refusal()
        before = None if msg.before is None else int(msg.before)
        events, more = await self._chat.before(contest, before, msg.limit)
        return Reply(
            "chat_history",
            contestId=str(contest),
            messages=[shown(contest, event) for event in events],
            hasMore=more,
        )

    # ── moderation ──────────────────────────────────────────────────────────────────────

    @command("delete_chat_message", role=Role.ADMIN, invalid=MISSING_ID)
    async def delete_chat_message(self, conn: Connection, msg: DeleteChatMessage) -> Reply:
        """Take a message away from everybody; the audit keeps what it said."""
        contest, author = self.find(conn, msg).contest.id, conn.author
        message = str(msg.id if msg.messageId is None else msg.messageId)
        if not (message.isascii() and message.isdecimal() and len(message) < 19):
            raise WireError("MISSING_MESSAGE_ID", "The id of the message is required")
        async with self._database.transaction() as connection:
            text = await self._chat.delete(connection, contest, int(message))
            details = {"contest_id": contest, "message_id": message, "text": text}
            await self._people.record(author, "delete_chat_message", connection, **details)
        return Reply("chat_message_deletion_accepted", contestId=str(contest), messageId=message)

    @command("mute_user", role=Role.ADMIN, invalid=MISSING_ID)
    async def mute_user(self, conn: Connection, msg: MuteUser) -> Reply:
        """Let somebody write no more in a room for a while."""
        contest, author = self.find(conn, msg).contest.id, conn.author
        async with self._database.transaction() as connection:
            await self._chat.mute(connection, contest, msg.wallet, msg.seconds, author.wallet)
            details = {"contest_id": contest, "wallet": msg.wallet, "seconds": msg.seconds}
            await self._people.record(author, "mute_user", connection, **details)
        return Reply("user_muted", contestId=str(contest), wallet=msg.wallet, seconds=msg.seconds)

    @command("set_slow_mode", role=Role.ADMIN, invalid=MISSING_ID)
    async def set_slow_mode(self, conn: Connection, msg: SetSlowMode) -> Reply:
        """Let everybody wait between two messages."""
        contest, author = self.find(conn, msg).contest.id, conn.author
        async with self._database.transaction() as connection:
            await self._chat.slow(connection, contest, msg.seconds)
            details = {"contest_id": contest, "seconds": msg.seconds}
            await self._people.record(author, "set_slow_mode", connection, **details)
        return Reply("slow_mode_set", contestId=str(contest), seconds=msg.seconds)
