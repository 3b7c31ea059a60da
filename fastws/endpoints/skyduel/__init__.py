"""``/skyduel``: a game in the sky (docs/wire.md, "SkyDuel"; its rules are in docs/skyduel.md).

One endpoint, a file a subject; `Skyduel` has the channels, and tells matches what happens.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, cast

from fastws import wire
from fastws.config import SkyduelConfig
from fastws.connection import Connection
from fastws.domain.skyduel import MODES, Lobby, Match
from fastws.endpoint import Base
from fastws.endpoints.skyduel.matches import session
from fastws.endpoints.skyduel.playing import Playing
from fastws.endpoints.skyduel.shapes import match_fields, rows
from fastws.errors import Unavailable
from fastws.hub import ByKey, PriorityTable, Stream, Subscriber
from fastws.identity import Identity
from fastws.store.skyduel import SkyduelRows
from fastws.wire import Reply

__all__ = ["Skyduel"]

LABEL: Final = re.compile(r"match\.(?P<id>[1-9][0-9]{0,15})(?P<part>\.events|\.own)?")

LIST_MS: Final = 250
"""Milliseconds between two frames of the list of matches."""

SUSPECTS: Final = 1000
"""Reports that wait at most: they are stored with the results anyway."""

OLDER_SECONDS: Final = 0.5
"""Seconds between two states to who asks for no format."""


class _Audience:
    """Players of a match are served first; ``own``: each sees his own row."""

    def __init__(self, match: Match, pace: int, *, own: bool = False) -> None:
        self._match = match
        self._own = own
        self.pace = pace

    def acts(self, subscriber: Subscriber) -> bool:
        """Whether he steers a plane of this match."""
        return self._number(subscriber) is not None

    def rows(self, subscriber: Subscriber) -> dict[str, str] | None:
        """All of the state; of what is one's own that only."""
        if not self._own:
            return None
        number = self._number(subscriber)
        return {} if number is None else {f"p{number}": f"p{number}"}

    def _number(self, subscriber: Subscriber) -> int | None:
        seat = session(subscriber).seat if isinstance(subscriber, Connection) else None
        return seat.number if seat is not None and seat.match is self._match else None


class Skyduel(Playing):
    """Matches, their state and what happens in them."""

    path = "skyduel"
    public_channels = ("public.matches",)

    def __init__(
        self, base: Base, lobby: Lobby, records: SkyduelRows, config: SkyduelConfig
    ) -> None:
        super().__init__(base)
        self._lobby = lobby
        self._rows = records
        self._invited = {}
        self._flush_ms = round(1000 / config.hz)
        self._watch_pace = max(1, round(config.hz / config.spectator_hz))
        self._woken = asyncio.Event()
        self._suspects: deque[dict[str, Any]] = deque(maxlen=SUSPECTS)
        self._reports = self.hub.stream(f"{self.path}/admin.matches")
        lobby.on_notice = self._woken.set
        lobby.on_made = self._open
        lobby.on_gone = self._close
        self.hub.add_table(lobby.table, LIST_MS)
        self.hub.table(
            f"{self.path}/public.matches", lobby.table, self._encode_list, 1.0,
            flush_ms=LIST_MS, names=ByKey(),
        )  # fmt: skip

    # ── coming and going ────────────────────────────────────────────────────────────────

    def welcome(self, conn: Connection) -> Reply:
        """What can be played, and where one has a seat."""
        seat = self._lobby.seat_of(conn.identity.wallet)
        return Reply(
            "welcome",
            message="SkyDuel WebSocket Connected",
            modes=[
                {"mode": mode, "min_players": game.seats[0], "max_players": game.seats[1]}
                for mode, game in MODES.items()
            ],
            match=None if seat is None else match_fields(seat.match),
        )

    def closed(self, conn: Connection) -> None:
        """A lost connection keeps its seat for a while."""
        seat = session(conn).seat
        if seat is not None and seat.holder is conn:
            self._lobby.drop(seat)

    # ── channels ────────────────────────────────────────────────────────────────────────

    def _open(self, match: Match) -> None:
        """The channels of a new match."""
        name = f"{self.path}/match.{match.id}"
        audiences = {
            name: (match.table, _Audience(match, self._watch_pace)),
            f"{name}.own": (match.own, _Audience(match, 1, own=True)),
        }
        for full, (table, audience) in audiences.items():
            made = self.hub.table(
                full, table, partial(self._encode, match, full.partition("/")[2]), OLDER_SECONDS,
                flush_ms=self._flush_ms, names=ByKey(), kind=PriorityTable, audience=audience,
            )  # fmt: skip
            match.screens.append(cast("PriorityTable", made))
        self.hub.stream(f"{name}.events")

    def _close(self, match: Match) -> None:
        self._invited.pop(match.id, None)
        for part in ("", ".own", ".events"):
            self.hub.drop(f"{self.path}/match.{match.id}{part}")
        self.hub.remove_table(match.table)
        self.hub.remove_table(match.own)

    def _named(self, label: str) -> tuple[Match, str] | None:
        """The match that a label names, and which part of it; None when there is none."""
        found = LABEL.fullmatch(label)
        match = None if found is None else self._lobby.get(int(found["id"]))
        return None if found is None or match is None else (match, found["part"] or "")

    def is_public(self, label: str) -> bool:
        """The list, and public matches for all to watch."""
        if label in self.public_channels:
            return True
        named = self._named(label)
        return named is not None and named[1] != ".own" and not named[0].private

    def denied(self, identity: Identity, label: str) -> bool:
        """Private matches, and what is another's own. What does not exist is not denied."""
        named = self._named(label)
        if named is None:
            return False
        match, part = named
        if part == ".own":
            seat = self._lobby.seat_of(identity.wallet)
            return seat is None or seat.match is not match
        return self.hidden(identity, match.id)

    def automatic(self, conn: Connection) -> Iterable[str]:
        """Nothing: who plays follows his match, who looks for one follows the list."""
        return ()

    async def initial(self, conn: Connection, label: str) -> list[Reply | bytes]:
        """What older clients see first."""
        if label == "public.matches":
            return [self._encode_list(0)]
        named = self._named(label)
        return [] if named is None or named[1] else [self._encode(named[0], label, 0)]

    def _encode_list(self, since: int) -> bytes:
        matches = [match_fields(one) for one in self._lobby if not one.private]
        return wire.encode("matches", {"matches": matches}, self.clock(), channel="public.matches")

    def _encode(self, match: Match, label: str, since: int) -> bytes:
        if label.endswith(".own"):  # a list would show everybody everything
            return wire.encode("match_state", {"match_id": match.id}, self.clock(), channel=label)
        return wire.encode("match_state", rows(match), self.clock(), channel=label)

    # ── what happens ────────────────────────────────────────────────────────────────────

    async def tell(self) -> None:
        """Publish what happens in matches, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._lobby.notices:
                notice = self._lobby.notices[0]
                stream = self.hub.find(f"{self.path}/match.{notice.match.id}.events")
                if isinstance(stream, Stream):
                    await _published(stream, notice.type, notice.fields)
                self._lobby.notices.popleft()
            while self._suspects:
                await _published(self._reports, "suspect", self._suspects[0])
                self._suspects.popleft()

    def report(self, said: dict[str, Any]) -> None:
        """Tell administrators of inputs that no honest client sends."""
        self._suspects.append(said)
        self._woken.set()


async def _published(stream: Stream, type_: str, fields: dict[str, Any]) -> None:
    """Publish a message, as soon as that is possible again."""
    while True:
        try:
            await stream.publish(type_, fields)
        except Unavailable:
            await asyncio.sleep(1.0)
        else:
            return
