"""A match over a bad network: packets held up, every player cut off once, and nothing lost."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

import websockets

from fastws.client import Followed
from fastws.domain.skyduel import recording
from fastws.domain.skyduel.bots import Plane, fly
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.endpoints.skyduel.playing import pack
from fastws.server import Server
from tests.server.conftest import PATIENCE, bearer, serving, token_of, until
from tests.web.live import tunnel

PLAYERS = 4


class Pilot:
    """A bot behind a socket of another library, that comes back when it is cut off."""

    def __init__(self, number: int, token: str, port: int) -> None:
        self.number = number
        self.url = f"ws://127.0.0.1:{port}/api/v69/ws/skyduel"
        self.token = token
        self.match = self.seat = 0
        self.followed = Followed()
        self.events: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self.returns = self.seq = 0
        self.ws: websockets.ClientConnection

    async def connect(self) -> None:
        self.ws = await websockets.connect(self.url, **bearer(self.token))

    async def ask(self, answer: str, **message: Any) -> dict[str, Any]:
        await self.ws.send(json.dumps(message))
        while True:
            said = self.take(await self.ws.recv())
            if said.get("type") in (answer, "error"):
                assert said["type"] == answer, said
                return said

    def take(self, data: str | bytes) -> dict[str, Any]:
        if isinstance(data, bytes):
            assert list(self.followed.binary(data))
            assert not self.followed.resync, "what it holds is what the server said"
            return {}
        said: dict[str, Any] = json.loads(data)
        if said["type"] == "subscription_confirmed" and "columns" in said:
            self.followed.confirmed(said, None)
        elif said.get("channel") == f"match.{self.match}.events" and "kind" not in said:
            self.events.append(said)
            if said["type"] == "result":
                self.result = said
        return said

    async def sit(self) -> None:
        """Take the seat (again) and follow everything."""
        said = await self.ask("match_joined", type="join_match", match_id=self.match)
        self.seat = said["player"]
        for part in ("", ".own"):
            label = f"match.{self.match}{part}"
            await self.ask(
                "subscription_confirmed", type="subscribe", channel=label, format="binary"
            )
        where: dict[str, Any] = {}
        if self.events:
            where = {"since": {"epoch": self.epoch, "offset": self.events[-1]["offset"]}}
        label = f"match.{self.match}.events"
        said = await self.ask("subscription_confirmed", type="subscribe", channel=label, **where)
        assert said.get("recovered", True)
        self.epoch = said["epoch"]

    def rows(self) -> dict[str, dict[str, Any]]:
        copy = self.followed[f"match.{self.match}"]
        return {} if copy is None else copy.by_key()

    async def play(self, cut_at: int) -> None:
        """To the end of the match, cut off once at that step."""
        while self.result is None:
            steering = asyncio.ensure_future(self.steer())
            try:
                while self.result is None:
                    self.take(await self.ws.recv())
                    game = self.rows().get("game")
                    if game and not self.returns and game["seq"][0] >= cut_at:
                        self.returns += 1
                        self.ws.transport.abort()
            except websockets.ConnectionClosed:
                steering.cancel()
                await self.connect()
                await self.sit()
            finally:
                steering.cancel()

    async def steer(self) -> None:
        while True:
            rows = self.rows()
            planes = {
                key: Plane(*(row[name][0] for name in ("x", "y", "heading", "speed")))
                for key, row in rows.items()
                if "." not in key and row["state"] in (1, 3) and key != "game"
            }
            me = planes.pop(f"p{self.seat}", None)
            if me is not None:
                self.seq += 1
                t = time.monotonic_ns() // 1_000_000
                await self.ws.send(pack(self.seq, t, fly(me, list(planes.values()))))
            await asyncio.sleep(1 / 30)


async def stored(server: Server, match: int) -> tuple[int, int]:
    """How often a match's results are stored, and how many matches its players are rated for."""
    database = server.rooms.database
    rows = await database.fetchval(
        "SELECT count(*) FROM skyduel_results WHERE match_id = $1", match
    )
    return rows, await database.fetchval("SELECT sum(matches) FROM skyduel_ratings")


async def test_a_match_over_a_bad_network_ends_the_same_for_all(fresh_url: str) -> None:
    rng = random.Random(69)

    def delay() -> float:
        return rng.uniform(0.02, 0.15) if rng.random() < 0.1 else 0.0

    async with serving(fresh_url, market={"source": "none"}) as server, asyncio.timeout(PATIENCE):
        async with tunnel(server.port, delay) as way:
            pilots = []
            for number in range(PLAYERS):
                token = await token_of(server, f"Pi1ot{number}".ljust(43, "x"))
                pilots.append(Pilot(number, token, way.port))
                await pilots[-1].connect()
            first = pilots[0]
            made = await first.ask("match_joined", type="create_match", seconds=12, max_players=4)
            for pilot in pilots:
                pilot.match = made["match"]["match_id"]
                await pilot.sit()
            for pilot in pilots:
                await pilot.ask("ready_set", type="ready")
            await asyncio.gather(
                *(pilot.play(60 + 50 * number) for number, pilot in enumerate(pilots))
            )
            # the last state comes on its own channel: in which order is not promised
            for pilot in pilots:
                while pilot.rows()["game"]["state"] != 3:
                    pilot.take(await pilot.ws.recv())
            match = server.rooms.lobby.get(first.match)
            assert match is not None
            told = {key: match.table.get(key) for key in match.table.rows()}
            for pilot in pilots:
                assert pilot.rows() == told
                assert pilot.returns == 1
                offsets = [one["offset"] for one in pilot.events]
                assert offsets == list(range(offsets[0], offsets[0] + len(offsets))), "none missed"
                await pilot.ws.close()
        await until(lambda: match.stored)
        assert await stored(server, match.id) == (PLAYERS, PLAYERS)
        result = first.result
        assert result is not None
        assert [one["left"] for one in result["results"]] == [False] * PLAYERS
        kinds = [one["type"] for one in first.events]
        # who is back before his loss was noticed was never gone
        assert kinds.count("dropped") == kinds.count("returned") <= PLAYERS
        assert "left" not in kinds
        assert kinds.count("result") == 1
        packed = await server.rooms.skyduel_rows.recording(match.id)
        assert packed is not None
        again = recording.replay(recording.read(packed), Dogfight, match.steps)
        assert f"{again.digest:016x}" == result["digest"]
