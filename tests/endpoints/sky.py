"""The skyduel endpoint over a real database, with a clock that the test turns."""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import structs

from fastws.client.followed import Followed
from fastws.client.frames import blocks
from fastws.config import EndpointConfig, LimitsConfig, SkyduelConfig
from fastws.connection import Allowances, Connection
from fastws.domain.skyduel import Clockwork, Lobby, Results
from fastws.endpoints.skyduel import Skyduel
from fastws.identity import Identity
from fastws.store.pool import Database
from fastws.store.skyduel import SkyduelRows
from tests.fakes import USER, Clock, RecordingOutlet, ask, make_base, make_hub, opened

ANNA = structs.replace(USER, wallet="AnnaWa11et", nickname="anna")
BERT = structs.replace(USER, wallet="BertWa11et", nickname="bert")
CARL = structs.replace(USER, wallet="CarlWa11et", nickname="carl")

SETTINGS = EndpointConfig(messages_per_minute=10_000, operations={"input": "60/s"})


class Caller:
    """One client and what it has heard."""

    def __init__(self, sky: Sky, conn: Connection, outlet: RecordingOutlet) -> None:
        self.sky, self.conn, self.outlet = sky, conn, outlet
        self.followed = Followed()
        self.heard: list[dict[str, Any]] = []
        self.frames = 0

    async def ask(self, **message: Any) -> dict[str, Any]:
        """The last frame that a message caused."""
        self.take()
        found = await ask(self.conn, self.outlet, **message)
        self.heard += found
        return found[-1] if found else {}

    async def follow(self, label: str, **options: Any) -> dict[str, Any]:
        """Subscribe; the confirmation."""
        self.take()
        self.conn.receive(_json(type="subscribe", channel=label, **options), False)
        await self.conn.idle()
        found = self.take()
        (said,) = [one for one in found if one["type"] in ("subscription_confirmed", "error")]
        return said

    def take(self) -> list[dict[str, Any]]:
        """Read what has come: tables are kept up, the rest is returned and kept."""
        found = []
        for frame in self.outlet.frames:
            if frame[:1] == b"{":
                said = _loads(frame)
                if said["type"] == "subscription_confirmed" and "columns" in said:
                    self.followed.confirmed(said, None)
                found.append(said)
            else:
                self.frames += len(list(blocks(frame)))
                assert list(self.followed.binary(frame))
                assert not self.followed.resync
        self.outlet.frames.clear()
        self.heard += found
        return found

    def rows(self, label: str) -> dict[str, dict[str, Any]]:
        """What it holds of a table."""
        self.take()
        return self.followed[label].by_key()

    def leave(self) -> None:
        """Its connection is lost."""
        self.conn.closed(1006, "")


class Sky:
    """The endpoint with everything below it. Times are the clock's, and stand still."""

    def __init__(self, database: Database, **config: Any) -> None:
        self.database = database
        self.clock = Clock()
        self.hub = make_hub(self.clock)
        self.rows = SkyduelRows(database)
        self.config = SkyduelConfig(**config)
        self.lobby = Lobby(self.rows, self.config.hz, 1, self.clock)
        self.clockwork = Clockwork(self.lobby, self.clock)
        self.results = Results(database, self.rows)
        self.lobby.on_ended = self.results.ended
        base = make_base(self.hub, self.clock, settings=SETTINGS)
        self.endpoint = Skyduel(base, self.lobby, self.rows, self.config)
        self.results.on_suspect = self.endpoint.report
        self.allowances = Allowances(LimitsConfig(user_cost=1_000_000), self.clock)

    async def come(self, who: Identity, **options: Any) -> Caller:
        """Somebody connects."""
        conn, outlet, frames = await opened(
            self.endpoint, who, settings=SETTINGS, allowances=self.allowances, **options
        )
        caller = Caller(self, conn, outlet)
        caller.heard += frames
        return caller

    async def pair(self, **options: Any) -> tuple[Caller, Caller, int]:
        """Two in a match that is about to count down, following everything in binary."""
        anna, bert = await self.come(ANNA), await self.come(BERT)
        made = await anna.ask(type="create_match", **options)
        id_: int = made["match"]["match_id"]
        await bert.ask(type="join_match", match_id=id_, invite=made.get("invite", ""))
        for one in (anna, bert):
            await one.follow(f"match.{id_}", format="binary")
            await one.follow(f"match.{id_}.own", format="binary")
            await one.follow(f"match.{id_}.events")
            await one.ask(type="ready")
        return anna, bert, id_

    async def play(self, seconds: float, each: Any = None) -> None:
        """Time passes, step by step; ``each(step)`` is called before each."""
        for step in range(round(seconds * self.config.hz)):
            self.clock.now += 1 / self.config.hz
            if each is not None:
                each(step)
            for match in self.lobby.due():
                self.clockwork.step(match)
            for match in self.lobby:
                for screen in match.screens:
                    for _ in screen.serve_rest(self.clock.now):
                        pass
            if step % 8 == 0:
                self.lobby.turn()
            if self.lobby.notices:
                await self.tell()

    async def tell(self) -> None:
        """Publish what happened."""
        while self.lobby.notices:
            notice = self.lobby.notices.popleft()
            stream = self.hub.find(f"skyduel/match.{notice.match.id}.events")
            if stream is not None:
                await stream.publish(notice.type, notice.fields)  # type: ignore[attr-defined]
        self.hub.flush(self.clock.now)

    async def store(self) -> None:
        """Store what ended."""
        while self.results._waiting:
            await self.results.store(self.results._waiting.popleft())
        await self.tell()


def _json(**message: Any) -> bytes:
    return orjson.dumps(message)


def _loads(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(data)
    return found
