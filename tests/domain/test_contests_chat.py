"""Chat: stored before it is told, numbered by the database, said once however often it is sent."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.broker import Publication
from fastws.domain.contests.chat import LONGEST, clean
from fastws.errors import StoreUnavailable, WireError
from fastws.store.chat import Post
from fastws.store.pool import Database
from tests.endpoints.arena import VIEWER, Arena
from tests.fakes import ADMIN, ask


@pytest.fixture
async def arena(database: Database) -> Arena:
    made = Arena(database)
    await made.begin()
    return made


def posts(count: int, sender: str = "w") -> list[Post]:
    return [Post(f"{sender}{n % 50}", f"message {n}", f"c{n}") for n in range(count)]


async def test_many_at_once_keep_their_order_and_have_no_holes(arena: Arena) -> None:
    one = await arena.contest()
    heard: list[Publication] = []
    arena.chat.log.listen(f"contest/chat.{one}", heard.append)
    said = await asyncio.gather(*(arena.chat.say(one, post) for post in posts(250)))
    assert [event.offset for event in said] == list(range(1, 251))
    assert [event.text for event in said] == [f"message {n}" for n in range(250)]
    assert [item.position.offset for item in heard] == list(range(1, 251))
    stored = await arena.chat.log.history(f"contest/chat.{one}", 0, 1000)
    assert [item.payload for item in stored] == [item.payload for item in heard]


async def test_rooms_do_not_wait_for_each_other(arena: Arena) -> None:
    one, two = await arena.contest(), await arena.contest()
    said = await asyncio.gather(
        *(arena.chat.say(room, Post("w", "x")) for room in (one, two, one, two))
    )
    assert [event.offset for event in said] == [1, 1, 2, 2]


async def test_the_same_client_id_is_the_same_message(arena: Arena) -> None:
    one = await arena.contest()
    post = Post("w", "gm", "a")
    first, second = await asyncio.gather(arena.chat.say(one, post), arena.chat.say(one, post))
    third = await arena.chat.say(one, Post("w", "other text", "a"))
    assert {first.id, second.id, third.id} == {first.id}
    assert third.text == "gm"
    other = await arena.chat.say(one, Post("v", "gm", "a"))
    assert other.id != first.id
    assert (await arena.chat.log.tail(f"contest/chat.{one}")).offset == 2


async def test_what_another_service_inserts_has_its_place_and_is_heard(arena: Arena) -> None:
    one = await arena.contest()
    heard: list[Publication] = []
    both = asyncio.Event()

    def hear(publication: Publication) -> None:
        heard.append(publication)
        if len(heard) == 2:
            both.set()

    arena.chat.log.listen(f"contest/chat.{one}", hear)
    sql = """
        INSERT INTO contest_chat_messages (contest_id, sender_wallet_address, message_text)
        VALUES ($1, 'bot', 'from elsewhere')
    """
    await arena.database.execute(sql, one)
    await arena.chat.say(one, Post("w", "mine"))
    await arena.database.execute(sql, one)
    arena.chat._hear(f"{one}:3")
    task = asyncio.get_running_loop().create_task(arena.chat.run())
    await asyncio.wait_for(both.wait(), 10)
    task.cancel()
    # A listener takes only the successor of what it has; a stream fetches the rest of it.
    assert [item.position.offset for item in heard] == [2, 3]


async def test_a_stream_of_it_has_everything_in_order_whoever_wrote(arena: Arena) -> None:
    one = await arena.contest()
    conn, outlet = await arena.come(VIEWER)
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    sql = """
        INSERT INTO contest_chat_messages (contest_id, sender_wallet_address, message_text)
        VALUES ($1, 'bot', 'from elsewhere')
    """
    await arena.database.execute(sql, one)
    await arena.chat.say(one, Post("w", "mine"))
    await arena.hub.check_tails(known=True)
    arena.hub.flush(arena.clock.now)
    told = [f for f in outlet.take() if f["type"] == "chat_message"]
    assert [f["offset"] for f in told] == [1, 2]
    assert [f["data"]["text"] for f in told] == ["from elsewhere", "mine"]


async def test_a_room_is_resumed_from_the_database(arena: Arena) -> None:
    one = await arena.contest()
    await asyncio.gather(*(arena.chat.say(one, post) for post in posts(60)))
    again = Arena(arena.database)
    await again.begin()
    await again.read()
    conn, outlet = await again.come(VIEWER)
    epoch = (await again.chat.log.tail(f"contest/chat.{one}")).epoch
    ask_for = {"type": "subscribe", "channel": f"chat.{one}"}
    frames = await ask(conn, outlet, **ask_for, since={"epoch": epoch, "offset": 20})
    assert frames[0]["recovered"] is True
    assert [f["offset"] for f in frames[1:]] == list(range(21, 61))
    (refused,) = await ask(conn, outlet, **ask_for, since={"epoch": epoch, "offset": 61})
    assert refused["code"] == "INVALID_SINCE"
    frames = await ask(conn, outlet, **ask_for, since={"epoch": epoch + 1, "offset": 20})
    assert frames[0]["recovered"] is False


async def test_who_joins_gets_the_last_twenty_once(arena: Arena) -> None:
    one = await arena.contest()
    await asyncio.gather(*(arena.chat.say(one, post) for post in posts(30)))
    conn, outlet = await arena.come(VIEWER)
    frames = await ask(conn, outlet, type="join_contest_room", contestId=one)
    assert [f["offset"] for f in frames if f["type"] == "chat_message"] == list(range(11, 31))
    frames = await ask(conn, outlet, type="get_chat_history", contestId=one, limit=10)
    page = frames[-1]
    assert [m["text"] for m in page["messages"]] == [f"message {n}" for n in range(20, 30)]
    assert page["hasMore"] is True
    before = page["messages"][0]["id"]
    asked = {"type": "get_chat_history", "contestId": one, "before": before, "limit": 100}
    page = (await ask(conn, outlet, **asked))[-1]
    assert len(page["messages"]) == 20
    assert page["hasMore"] is False


async def test_only_who_is_in_the_room_may_speak_and_not_too_much(arena: Arena) -> None:
    one = await arena.contest()
    conn, outlet = await arena.come(VIEWER)
    say = {"type": "send_chat_message", "contestId": one}
    (error,) = await ask(conn, outlet, **say, text="gm")
    assert error["code"] == "NOT_IN_ROOM"
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    (error,) = await ask(conn, outlet, **say, text=" \u202e\n ")
    assert error["code"] == "MISSING_MESSAGE_TEXT"
    (error,) = await ask(conn, outlet, **say, text="x" * 501)
    assert error["code"] == "MESSAGE_TOO_LONG"
    for _ in range(10):
        assert (await ask(conn, outlet, **say, text="gm"))[-1]["type"] == "chat_message_accepted"
    (error,) = await ask(conn, outlet, **say, text="gm")
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert 0 < error["retry_after_ms"] <= 6000
    arena.clock.now += 6
    assert (await ask(conn, outlet, **say, text="gm"))[-1]["type"] == "chat_message_accepted"


async def test_moderation_is_audited_and_acts(arena: Arena) -> None:
    one = await arena.contest()
    viewer, v = await arena.come(VIEWER)
    await ask(viewer, v, type="join_contest_room", contestId=one)
    say = {"type": "send_chat_message", "contestId": one, "text": "scam"}
    message = (await ask(viewer, v, **say))[-1]["id"]
    admin, a = await arena.come(ADMIN)
    delete = {"type": "delete_chat_message", "contestId": one, "id": message}
    (done,) = await ask(admin, a, **delete)
    assert (done["type"], done["messageId"]) == ("chat_message_deletion_accepted", message)
    (error,) = await ask(admin, a, **delete)
    assert error["code"] == "MESSAGE_NOT_FOUND"
    v.take()
    await arena.hub.check_tails()
    arena.hub.flush(arena.clock.now)
    (told,) = v.take()
    assert (told["type"], told["id"], told["offset"]) == ("chat_message_deleted", message, 2)
    page = (await ask(viewer, v, type="get_chat_history", contestId=one))[-1]
    assert page["messages"] == []
    assert b"scam" not in b"".join(
        item.payload for item in await arena.chat.log.history(f"contest/chat.{one}", 0, 10)
    )
    mute = {"type": "mute_user", "contestId": one, "wallet": VIEWER.wallet}
    await ask(admin, a, **mute, seconds=60)
    (error,) = await ask(viewer, v, **say)
    assert error["code"] == "MUTED"
    await ask(admin, a, **mute, seconds=0)
    await ask(admin, a, type="set_slow_mode", contestId=one, seconds=30)
    (error,) = await ask(viewer, v, **say)
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["retry_after_ms"] > 0
    await ask(admin, a, type="set_slow_mode", contestId=one, seconds=0)
    assert (await ask(viewer, v, **say))[-1]["type"] == "chat_message_accepted"
    lines = await arena.audit.latest()
    assert [line["action"] for line in lines] == [
        "set_slow_mode", "set_slow_mode", "mute_user", "mute_user", "delete_chat_message",
    ]  # fmt: skip
    assert lines[-1]["details"]["text"] == "scam"


async def test_who_speaks_while_the_database_is_away_is_told(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await arena.contest()

    async def away(*args: object) -> int:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(arena.chat._rows, "say", away)
        with pytest.raises(StoreUnavailable):
            await arena.chat.say(one, Post("w", "gm", "k"))
    event = await arena.chat.say(one, Post("w", "gm", "k"))
    assert event.offset == 1


async def test_a_room_takes_so_much_and_no_more(arena: Arena) -> None:
    one = await arena.contest()
    many = [Post(f"w{n}", "x") for n in range(1200)]
    said = await asyncio.gather(
        *(arena.chat.say(one, post) for post in many), return_exceptions=True
    )
    refused = [one for one in said if isinstance(one, WireError)]
    assert {error.code for error in refused} == {"SERVICE_UNAVAILABLE"}
    stored = [one.offset for one in said if not isinstance(one, BaseException)]
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) >= 1000


@given(st.text())
def test_a_cleaned_text_is_clean_and_cleaning_it_again_changes_nothing(text: str) -> None:
    made = clean(text)
    assert clean(made) == made
    assert made == made.strip()
    assert not set(made) & set("\x00\n\r\u202e\u2066\u200f")
    assert len(made) <= len(text)


def test_what_is_written_in_any_language_stays() -> None:
    family = "\U0001f468\u200d\U0001f469"
    assert clean(f"  שלום \t\n עולם {family} <b>") == f"שלום עולם {family} <b>"
    assert LONGEST == 500
