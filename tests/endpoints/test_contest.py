"""The contest endpoint over a real database: who sees what and is told what, in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fastws.identity import ANONYMOUS
from fastws.store.pool import Database
from tests.endpoints.arena import PLAYER, START, VIEWER, Arena
from tests.fakes import ADMIN, ask


@pytest.fixture
async def arena(database: Database) -> Arena:
    made = Arena(database)
    await made.begin()
    return made


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


def channels(frames: list[dict[str, Any]]) -> list[str]:
    return [one["channel"] for one in frames if one["type"] == "subscription_confirmed"]


async def test_who_comes_is_told_what_he_may_do_and_follows_his_own_channel(arena: Arena) -> None:
    _, outlet = await arena.come(ADMIN)
    del outlet
    conn, _ = await arena.come(VIEWER)
    assert set(conn.subscriptions) == {"user.ViewerWa11et"}
    conn, _ = await arena.come(ADMIN)
    assert set(conn.subscriptions) == {"user.AdminWa11et", "admin.contests"}


async def test_contests_are_listed_and_seen_by_level(arena: Arena) -> None:
    await arena.contest("PlayerWa11et", settings={"rules": "none"})
    conn, outlet = await arena.come(VIEWER)
    frames = await ask(conn, outlet, type="get_all_contests", id=7)
    assert types(frames) == ["subscription_confirmed", "all_contests"]
    (seen,) = frames[-1]["data"]
    assert frames[-1]["id"] == 7
    assert seen["participantCount"] == 1
    assert seen["rules"] == "none"
    assert "settings" not in seen
    conn, outlet = await arena.come(ADMIN)
    (seen,) = (await ask(conn, outlet, type="get_all_contests"))[-1]["data"]
    assert seen["settings"] == {"rules": "none"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "get_contest_state"}, "MISSING_CONTEST_ID"),
        ({"type": "get_contest_state", "contestId": None}, "MISSING_CONTEST_ID"),
        ({"type": "get_contest_state", "contestId": "99"}, "CONTEST_NOT_FOUND"),
        ({"type": "get_contest_state", "contestId": "²"}, "CONTEST_NOT_FOUND"),
        ({"type": "get_leaderboard", "contestId": -1}, "CONTEST_NOT_FOUND"),
        ({"type": "get_leaderboard", "contestId": "9" * 19}, "CONTEST_NOT_FOUND"),
        ({"type": "send_chat_message", "contestId": 1}, "MISSING_MESSAGE_TEXT"),
        ({"type": "set_contest_status", "contestId": 1, "status": "active"}, "UNAUTHORIZED"),
        ({"type": "mute_user", "contestId": 1}, "UNAUTHORIZED"),
    ],
)
async def test_bad_requests_have_codes(arena: Arena, message: dict[str, Any], code: str) -> None:
    await arena.contest()
    conn, outlet = await arena.come()
    (error,) = await ask(conn, outlet, **message)
    assert (error["type"], error["code"]) == ("error", code)


async def test_joining_a_room_says_everything_in_the_order_clients_know(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et")
    conn, outlet = await arena.come(PLAYER)
    frames = await ask(conn, outlet, type="join_contest_room", contestId=one, id="j")
    assert channels(frames) == [
        f"contest.{one}",
        f"leaderboard.{one}",
        f"chat.{one}",
        f"participant.PlayerWa11et.{one}",
    ]
    assert types(frames)[4:] == ["contest_state", "leaderboard_update", "participant_update"]
    await arena.turn()
    (joined,) = outlet.take()
    assert joined["type"] == "user_presence"
    assert joined["channel"] == f"contest.{one}"
    assert joined["user"]["wallet"] == "PlayerWa11et"


async def test_five_clients_in_a_room_read_exactly_this(arena: Arena) -> None:
    """A participant, his second tab, a spectator, an invisible admin and one who is then seen."""
    one = await arena.contest("PlayerWa11et")
    join = {"type": "join_contest_room", "contestId": str(one)}
    player, p = await arena.come(PLAYER)
    await ask(player, p, **join)
    await arena.turn()
    assert types(p.take()) == ["user_presence"]

    tab, t = await arena.come(PLAYER)
    await ask(tab, t, **join)
    await arena.turn()
    assert p.take() == t.take() == [], "one user is there once"

    viewer, v = await arena.come(VIEWER)
    frames = await ask(viewer, v, **join)
    assert [f["count"] for f in frames if f["type"] == "spectator_count"] == [1]
    await arena.turn()
    for outlet in (p, t, v):
        told = outlet.take()
        assert types(told) == ["user_presence", "spectator_count"]
        assert told[0]["user"]["wallet"] == "ViewerWa11et"
        assert told[1]["count"] == 1

    admin, a = await arena.come(ADMIN)
    frames = await ask(admin, a, **join)
    presence = next(f for f in frames if f["type"] == "admin_presence")
    assert (presence["active"], presence["visibility"]) == (False, "invisible")
    await arena.turn()
    assert [outlet.take() for outlet in (p, t, v)] == [[], [], []], "no trace of him"

    frames = await ask(viewer, v, type="send_chat_message", contestId=one, text="gm", clientId="1")
    assert types(frames) == ["chat_message", "chat_message_accepted"]
    said, accepted = frames
    assert said["data"]["sender"] == {
        "wallet": "ViewerWa11et", "nickname": "viewer", "role": "user",
    }  # fmt: skip
    assert accepted["offset"] == said["offset"] == 1
    assert accepted["clientId"] == "1"
    for outlet in (p, t, a):
        (heard,) = outlet.take()
        assert heard == said

    frames = await ask(admin, a, type="set_admin_presence", contestId=one, visibility="visible")
    assert types(frames) == ["admin_presence_updated"]
    await arena.turn()
    for outlet in (p, t, v, a):
        told = outlet.take()
        assert types(told)[:2] == ["admin_presence", "contest_state"] or types(told)[0] == (
            "admin_presence"
        )
        assert told[0]["active"] is True
        assert "AdminWa11et" in [f["user"]["wallet"] for f in told if "user" in f]
        assert any(f["data"]["hasAdminPresence"] for f in told if f["type"] == "contest_state")


async def test_a_reconnect_within_the_grace_is_not_seen(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et")
    join = {"type": "join_contest_room", "contestId": one}
    viewer, v = await arena.come(VIEWER)
    await ask(viewer, v, **join)
    player, p = await arena.come(PLAYER)
    await ask(player, p, **join)
    await arena.turn()
    v.take()
    player.closed(1006, "")
    await arena.turn(9.9)
    player, p = await arena.come(PLAYER)
    await ask(player, p, **join)
    await arena.turn(60)
    assert v.take() == []
    player.closed(1006, "")
    await arena.turn(10.1)
    (told,) = v.take()
    assert (told["type"], told["action"]) == ("user_presence", "leave")


async def test_many_at_once_are_one_message(arena: Arena) -> None:
    one = await arena.contest()
    viewer, v = await arena.come(VIEWER)
    await ask(viewer, v, type="join_contest_room", contestId=one)
    await arena.turn()
    v.take()
    for number in range(200):
        who = type(VIEWER)(wallet=f"w{number}", role=VIEWER.role, session_id="s", source="header")
        conn, outlet = await arena.come(who)
        await ask(conn, outlet, type="join_contest_room", contestId=one)
    await arena.turn()
    batch, count = v.take()
    assert batch["type"] == "user_presence_batch"
    assert (batch["joinedCount"], len(batch["joined"]), batch["leftCount"]) == (200, 50, 0)
    assert count["count"] == 201


async def test_leaving_is_confirmed_and_told_at_once(arena: Arena) -> None:
    one = await arena.contest()
    conn, outlet = await arena.come(VIEWER)
    other, o = await arena.come(PLAYER)
    for who, out in ((conn, outlet), (other, o)):
        await ask(who, out, type="join_contest_room", contestId=one)
    await arena.turn()
    o.take()
    frames = await ask(conn, outlet, type="LEAVE_ROOM", contestId=one)
    assert types(frames) == ["unsubscription_confirmed"] * 4 + ["contest_room_left"]
    frames = await ask(conn, outlet, type="leave_contest_room", contestId=one)
    assert types(frames) == ["contest_room_left"]
    await arena.turn()
    assert types(o.take()) == ["user_presence", "spectator_count"]


async def test_who_watches_without_a_login_is_counted_and_sees_little(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et")
    label = f"public.contest.{one}"
    query = {"endpoint": "public.contests", "channel": label}
    guest, g = await arena.come(ANONYMOUS, query=query)
    assert set(guest.subscriptions) == {label}
    await arena.turn()
    assert [f["count"] for f in g.take() if f["type"] == "spectator_count"] == [1]
    for channel in (f"contest.{one}", f"chat.{one}", f"leaderboard.{one}"):
        (error,) = await ask(guest, g, type="subscribe", channel=channel)
        assert error["code"] == "SUBSCRIPTION_DENIED"
    (error,) = await ask(guest, g, type="join_contest_room", contestId=one)
    assert error["code"] == "UNAUTHORIZED"
    guest.closed(1006, "")
    room = arena.rooms.get(one)
    assert room is not None
    assert room.spectators == 0


async def test_a_private_contest_does_not_exist_for_others(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et", settings={"visibility": "private"})
    conn, outlet = await arena.come(VIEWER)
    for type_ in ("get_contest_state", "join_contest_room", "get_leaderboard", "get_chat_history"):
        (error,) = await ask(conn, outlet, type=type_, contestId=one)
        assert error["code"] == "CONTEST_NOT_FOUND"
    (error,) = await ask(conn, outlet, type="subscribe", channel=f"chat.{one}")
    assert error["code"] == "SUBSCRIPTION_DENIED"
    assert (await ask(conn, outlet, type="get_all_contests"))[-1]["data"] == []
    player, p = await arena.come(PLAYER)
    assert "contest_state" in types(await ask(player, p, type="join_contest_room", contestId=one))


async def test_what_changes_in_the_database_is_told(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et")
    conn, outlet = await arena.come(PLAYER)
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    await arena.turn()
    outlet.take()
    await arena.database.execute("UPDATE contests SET name = 'Mars' WHERE id = $1", one)
    sql = "UPDATE contest_participants SET status = 'late' WHERE contest_id = $1"
    await arena.database.execute(sql, one)
    await arena.read()
    await arena.turn()
    told = {frame["type"]: frame for frame in outlet.take()}
    assert told["contest_state"]["data"]["name"] == "Mars"
    assert told["participant_update"]["data"]["status"] == "late"


async def test_an_administrator_begins_and_ends_a_contest_and_it_is_written_down(
    arena: Arena,
) -> None:
    one = await arena.contest("PlayerWa11et", "OtherWa11et")
    await arena.weigh(one, ["PlayerWa11et"], SOL=100)
    arena.price(SOL="100")
    conn, outlet = await arena.come(ADMIN)
    said = {"type": "set_contest_status", "contestId": one}
    (reply,) = await ask(conn, outlet, **said, status="active")
    assert reply["type"] == "contest_status_set"
    await arena.read()
    arena.price(SOL="150")
    await arena.turn()
    board = arena.boards.get(one)
    assert board is not None
    board.table.seal(0.0)
    frames = await ask(conn, outlet, type="get_leaderboard", contestId=one)
    places = [(e["rank"], e["wallet"], e["value"], e["returnPct"]) for e in (
        frames[-1]["data"]["entries"]
    )]  # fmt: skip
    assert places == [(1, "PlayerWa11et", 150.0, 50.0), (2, "OtherWa11et", 100.0, 0.0)]
    await ask(conn, outlet, **said, status="completed", reason="enough")
    (error,) = await ask(conn, outlet, **said, status="completed")
    assert error["code"] == "INVALID_TRANSITION"
    sql = """
        SELECT wallet_address, final_rank, portfolio_value FROM contest_participants
        WHERE contest_id = $1 ORDER BY final_rank
    """
    rows = [tuple(row) for row in await arena.database.fetch(sql, one)]
    assert [(wallet, rank, float(value)) for wallet, rank, value in rows] == [
        ("PlayerWa11et", 1, 150.0),
        ("OtherWa11et", 2, 100.0),
    ]
    actions = [line["action"] for line in await arena.audit.latest()]
    assert actions == ["set_contest_status", "set_contest_status"]


async def test_a_contest_begins_and_ends_by_the_clock(arena: Arena) -> None:
    one = await arena.contest("PlayerWa11et", start_time=START + timedelta(seconds=10))
    few = await arena.contest(start_time=START + timedelta(seconds=10), min_participants=1)
    conn, outlet = await arena.come(PLAYER)
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    for seconds, expected in ((4, "pending"), (8, "active"), (3600, "active"), (3700, "completed")):
        arena.clock.now += seconds
        await arena.lifecycle.turn()
        await arena.contests.read()
        entry = arena.contests.get(one)
        assert entry is not None
        assert entry.contest.status == expected
        await arena.turn()
    statuses = [f["data"]["status"] for f in outlet.take() if f["type"] == "contest_state"]
    assert statuses == ["active", "completed"]
    cancelled = arena.contests.get(few)
    assert cancelled is None or cancelled.contest.status == "cancelled"


async def test_channels_of_users_who_left_are_forgotten(arena: Arena) -> None:
    one = await arena.contest()
    before = len(arena.hub.channels)
    conn, outlet = await arena.come(VIEWER)
    await ask(conn, outlet, type="join_contest_room", contestId=one)
    (error,) = await ask(conn, outlet, type="subscribe", channel="user.ViewerWa11et.more")
    assert error["code"] == "UNKNOWN_CHANNEL"
    conn.closed(1006, "")
    await arena.turn(61)
    names = {channel.label for channel in arena.hub.channels}
    assert not [name for name in names if name.startswith(("user.", "participant."))]
    assert len(arena.hub.channels) <= before + 3
