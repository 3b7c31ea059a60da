"""Contests end to end: real server, sockets and database, and what other services write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import websockets

from fastws.server import demo
from tests.server.conftest import bearer, place, receive, say, serving, token_of, until


async def make_contest(database: Any, seconds: float = 3600) -> int:
    now = datetime.now(UTC)
    sql = """
        INSERT INTO contests (contest_code, name, start_time, end_time)
        VALUES ('code', 'Moon', $1, $2) RETURNING id
    """
    id_: int = await database.fetchval(sql, now + timedelta(seconds=seconds), now + timedelta(1))
    return id_


async def test_a_row_that_another_service_writes_reaches_clients(fresh_url: str) -> None:
    async with serving(fresh_url, market={"source": "none"}) as server:
        await demo.seed(server.rooms.database)
        contest = await make_contest(server.rooms.database)
        await until(lambda: server.rooms.contests.get(contest) is not None)
        token = await token_of(server)
        async with websockets.connect(place(server, "contest"), **bearer(token)) as ws:
            room = {"contestId": str(contest)}
            await say(ws, "join_contest_room", "participant_update", **room)
            sql = "UPDATE contests SET name = 'Mars' WHERE id = $1"
            await server.rooms.database.execute(sql, contest)
            while (told := await receive(ws, "contest_state"))["data"]["name"] != "Mars":
                pass
            sql = """
                INSERT INTO contest_participants (contest_id, wallet_address) VALUES ($1, $2)
            """
            await server.rooms.database.execute(sql, contest, demo.USER)
            told = await receive(ws, "participant_update")
            assert told["data"]["isParticipant"] is True
            sql = """
                INSERT INTO contest_chat_messages
                    (contest_id, sender_wallet_address, message_text) VALUES ($1, $2, 'a bot')
            """
            await server.rooms.database.execute(sql, contest, demo.ADMIN)
            told = await receive(ws, "chat_message")
            assert (told["data"]["text"], told["offset"]) == ("a bot", 1)
            assert told["data"]["isAdmin"] is True
            sql = "UPDATE contests SET start_time = now() WHERE id = $1"
            await server.rooms.database.execute(sql, contest)
            while (told := await receive(ws, "contest_state"))["data"]["status"] != "active":
                pass


async def test_a_message_that_was_accepted_is_there_after_a_restart_and_resumed(
    fresh_url: str,
) -> None:
    quiet = {"market": {"source": "none"}}
    async with serving(fresh_url, **quiet) as server:
        await demo.seed(server.rooms.database)
        contest = await make_contest(server.rooms.database)
        await until(lambda: server.rooms.contests.get(contest) is not None)
        token = await token_of(server)
        room = {"contestId": str(contest)}
        async with websockets.connect(place(server, "contest"), **bearer(token)) as ws:
            confirmed = await say(ws, "join_contest_room", "subscription_confirmed", **room)
            while confirmed["channel"] != f"chat.{contest}":
                confirmed = await receive(ws, "subscription_confirmed")
            for number in range(3):
                asked = {"text": f"m{number}", "clientId": f"c{number}", **room}
                await say(ws, "send_chat_message", "chat_message_accepted", **asked)
    async with serving(fresh_url, **quiet) as server:
        token = await token_of(server)
        async with websockets.connect(place(server, "contest"), **bearer(token)) as ws:
            since = {"epoch": confirmed["epoch"], "offset": 1}
            asked = {"type": "join_contest_room", "since": since, **room}
            await ws.send(json.dumps(asked))
            texts = [(await receive(ws, "chat_message"))["data"]["text"] for _ in range(2)]
            assert texts == ["m1", "m2"]
            again = {"text": "m2", "clientId": "c2", **room}
            told = await say(ws, "send_chat_message", "chat_message_accepted", **again)
            assert told["offset"] == 3, "the same message"
