"""Which contests there are and who takes part, kept current from the database.

Owns what is known of contests between two questions to the database, and who may see and enter
them. They are read again when the database says that they changed, after it was away, and now
and then; reading many at once is one question.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from fastws.errors import StoreUnavailable
from fastws.store.contests import Contest, ContestRows, Holdings, Participant
from fastws.store.pool import Database

__all__ = ["Contests", "Entry"]

log = structlog.get_logger()

KEEP: Final = timedelta(days=7)
"""How long after its end a contest is kept at hand."""

MOST: Final = 2000
"""Contests at hand."""

POLL_SECONDS: Final = 10.0
COALESCE_SECONDS: Final = 0.03


class Entry:
    """A contest, its participants by wallet (first come first), and what they hold."""

    __slots__ = ("contest", "holdings", "participants", "tokens")

    def __init__(
        self,
        contest: Contest,
        participants: Iterable[Participant] = (),
        holdings: Holdings | None = None,
        tokens: list[int] | None = None,
    ) -> None:
        self.contest = contest
        self.participants = {one.wallet: one for one in participants}
        self.holdings = holdings or {}
        self.tokens = tokens or []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was set for this contest."""
        return self.contest.settings

    @property
    def public(self) -> bool:
        """Whether others than participants know of it."""
        return bool(self.settings.get("visibility", "public") == "public")

    @property
    def spectated(self) -> bool:
        """Whether others than participants may be in its room."""
        return self.public and self.settings.get("spectators", True) is not False

    @property
    def chat_public(self) -> bool:
        """Whether who is not logged in may read its chat."""
        return self.spectated and self.settings.get("spectator_chat", False) is True

    def sees(self, wallet: str | None) -> bool:
        """Whether somebody who is no administrator may know of it."""
        return self.public or wallet in self.participants

    def admits(self, wallet: str | None) -> bool:
        """Whether somebody who is no administrator may enter its room."""
        return self.spectated or wallet in self.participants


Changed = Callable[[Entry | None, Entry | None], None]


class Contests:
    """Contests by id. Make it before the database is started: it listens.

    ``on_changed`` are called with what was known and what is known now; None: not at hand.
    """

    def __init__(self, database: Database, rows: ContestRows, clock: Callable[[], float]) -> None:
        self._rows = rows
        self._clock = clock
        self._known: dict[int, Entry] = {}
        self._asked: set[int] = set()
        self._everything = True
        self._wake = asyncio.Event()
        self.on_changed: list[Changed] = []
        database.listen(ContestRows.NOTIFIED, self._hear, self._missed)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._known.values()))

    def get(self, contest: int) -> Entry | None:
        """What is known of a contest."""
        return self._known.get(contest)

    def ask(self, *contests: int) -> None:
        """Read these again soon."""
        self._asked.update(contests)
        self._wake.set()

    def _hear(self, payload: str) -> None:
        ids = [int(line) for line in payload.split("\n") if line.isdigit()]
        self._everything |= not ids
        self.ask(*ids)

    async def _missed(self) -> None:
        """The database was away and is back: whatever was notified is lost."""
        self._everything = True
        self._wake.set()

    async def run(self) -> None:
        """Read what has to be read, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._everything |= not self._wake.is_set()
            await asyncio.sleep(COALESCE_SECONDS)
            self._wake.clear()
            try:
                await self.read()
            except StoreUnavailable:
                log.debug("contests.wait")

    async def read(self) -> None:
        """Read what was asked for. `StoreUnavailable`: it is asked for again later."""
        everything, self._everything = self._everything, False
        asked, self._asked = self._asked, set()
        try:
            if everything:
                since = datetime.fromtimestamp(self._clock(), UTC) - KEEP
                found = await self._rows.current(since, MOST)
                asked = {one.id for one in found} | set(self._known)
            else:
                found = await self._rows.some(asked)
            entries = await self._entries(found)
        except StoreUnavailable:
            self._everything |= everything
            self._asked |= asked
            raise
        for contest in asked:
            self._know(contest, entries.get(contest))

    async def _entries(self, found: list[Contest]) -> dict[int, Entry]:
        ids = [one.id for one in found]
        if not ids:
            return {}
        participants = await self._rows.participants(ids)
        holdings = await self._rows.holdings(ids)
        tokens = await self._rows.tokens(ids)
        return {
            one.id: Entry(one, participants[one.id], holdings[one.id], tokens[one.id])
            for one in found
        }

    def _know(self, contest: int, entry: Entry | None) -> None:
        before = self._known.get(contest)
        if before == entry:
            return
        if entry is None:
            del self._known[contest]
        else:
            self._known[contest] = entry
        for listener in self.on_changed:
            listener(before, entry)
