"""Chat while the server is killed: nothing acknowledged is lost, nothing is there twice.

A speaker sends numbered messages and repeats those that were not acknowledged; a listener
resumes where it stopped. The server dies 200 times, by turns right after a message is stored and
right after it was told (`bench.killed`). In the end what both saw is compared with the database.

python -m bench kills [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import websockets

from bench.process import ServerProcess
from fastws.store.embedded import EmbeddedPostgres

SPEAKER, LISTENER = "SpeakerWa11et", "ListenerWa11et"
AT_ONCE: Final = 4
"""Messages that wait for their acknowledgement."""

CONTEST: Final = """
    INSERT INTO contests (contest_code, name, start_time, end_time)
    VALUES ('kills', 'Kills', now() + interval '1 day', now() + interval '2 days') RETURNING id
"""
STORED: Final = """
    SELECT e.room_offset, m.message_text FROM fastws_chat_events e
        JOIN contest_chat_messages m ON m.id = e.message_id ORDER BY e.room_offset
"""


class Mortal(ServerProcess):
    """A server that dies by itself; without ``where`` it does not."""

    def __init__(self, database: str, where: str = "", count: int = 0) -> None:
        super().__init__(MARKET_SOURCE="none")
        self.environment["DATABASE_URL"] = database
        if where:
            self.module = ("bench.killed", where, str(count))


class Party:
    """The speaker and the listener, and what they know."""

    def __init__(self, contest: int) -> None:
        self.contest = str(contest)
        self.numbers = itertools.count(1)
        self.waiting: list[int] = []
        self.acknowledged: list[int] = []
        self.heard: list[tuple[int, str]] = []
        self.since: dict[str, int] | None = None
        self.unrecovered = 0

    async def meet(self, server: ServerProcess, done: Callable[[], bool]) -> None:
        """Both talk until the server dies, or until ``done()``."""
        loop = asyncio.get_running_loop()
        tokens = [
            await loop.run_in_executor(None, server.token, wallet) for wallet in (SPEAKER, LISTENER)
        ]
        listening = asyncio.create_task(self._listen(server, tokens[1], done))
        with contextlib.suppress(websockets.ConnectionClosed, OSError):  # it is about that
            await self._speak(server, tokens[0], done)
        await listening

    async def _join(self, server: ServerProcess, token: str, **fields: Any) -> Any:
        url = f"{server.url}/api/v69/ws/contest".replace("http", "ws", 1)
        ws = await websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"})
        asked = {"type": "join_contest_room", "contestId": self.contest, **fields}
        await ws.send(json.dumps(asked))
        return ws

    async def _speak(self, server: ServerProcess, token: str, done: Callable[[], bool]) -> None:
        ws = await self._join(server, token)
        for number in self.waiting:  # not known to be stored: the same again
            await self._say(ws, number)
        while not done():
            while len(self.waiting) < AT_ONCE:
                self.waiting.append(next(self.numbers))
                await self._say(ws, self.waiting[-1])
            frame = json.loads(await ws.recv())
            if frame["type"] == "chat_message_accepted":
                self.waiting.remove(int(frame["clientId"]))
                self.acknowledged.append(int(frame["clientId"]))
        await ws.close()

    async def _say(self, ws: Any, number: int) -> None:
        said = {"type": "send_chat_message", "contestId": self.contest, "text": f"m{number}"}
        await ws.send(json.dumps({**said, "clientId": str(number)}))

    async def _listen(self, server: ServerProcess, token: str, done: Callable[[], bool]) -> None:
        try:
            since = {} if self.since is None else {"since": self.since}
            ws = await self._join(server, token, **since)
            while not done():
                async with asyncio.timeout(5):
                    self._hear(json.loads(await ws.recv()))
        except (websockets.ConnectionClosed, OSError, TimeoutError):
            return

    def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "subscription_confirmed" and frame["channel"].startswith("chat."):
            self.unrecovered += self.since is not None and not frame["recovered"]
            self.since = self.since or {"epoch": frame["epoch"], "offset": frame["offset"]}
        elif frame["type"] == "chat_message" and self.since is not None:
            self.heard.append((frame["offset"], frame["data"]["text"]))
            self.since["offset"] = frame["offset"]


async def play(kills: int, seed: int = 1) -> dict[str, int]:
    """Kill so many servers; what was lost, doubled or out of order, and how much was said."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        database = EmbeddedPostgres(Path(folder))
        url = database.start()
        try:
            return await _play(url, kills, rng)
        finally:
            database.stop()


async def _play(url: str, kills: int, rng: random.Random) -> dict[str, int]:
    with Mortal(url):
        connection = await asyncpg.connect(url)
        contest = await connection.fetchval(CONTEST)
    party, killed = Party(contest), 0
    for turn in range(kills):
        where = ("committed", "told")[turn % 2]
        with Mortal(url, where, rng.randrange(1, 12)) as server:
            await party.meet(server, lambda: False)
            killed += server.process.wait() == -9
    said = next(party.numbers)
    with Mortal(url) as server:
        await party.meet(server, lambda: len(party.acknowledged) >= said + AT_ONCE)
        tail = await connection.fetchval("SELECT last_offset FROM fastws_chat_rooms")
        await party.meet(server, lambda: party.heard[-1][0] >= tail)
    stored = [tuple(row) for row in await connection.fetch(STORED)]
    await connection.close()
    texts = [text for _, text in stored]
    return {
        "killed": killed,
        "acknowledged": len(party.acknowledged),
        "lost": len({f"m{n}" for n in party.acknowledged} - set(texts)),
        "twice": len(texts) - len(set(texts)),
        "out of order": texts != sorted(texts, key=lambda text: int(text[1:])),
        "holes": [offset for offset, _ in stored] != list(range(1, len(stored) + 1)),
        "heard": len(party.heard),
        "heard otherwise": party.heard != stored[: len(party.heard)],
        "not recovered": party.unrecovered,
    }


def run() -> None:
    found = asyncio.run(play(20 if "--quick" in sys.argv else 200))
    print("| | |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value:,} |")
