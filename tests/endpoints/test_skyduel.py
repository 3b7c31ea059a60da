"""The skyduel endpoint over a real database: matches from the lobby to the stored result."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from msgspec import structs

from fastws.domain.skyduel import recording
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.domain.skyduel.game import Controls
from fastws.endpoints.skyduel.playing import pack
from fastws.errors import StoreUnavailable
from fastws.identity import ANONYMOUS
from fastws.store.pool import Database
from tests.endpoints.sky import ANNA, BERT, CARL, Caller, Sky
from tests.fakes import ADMIN


@pytest.fixture
def sky(database: Database) -> Sky:
    return Sky(database)


def types(caller: Caller) -> list[str]:
    caller.take()
    return [one["type"] for one in caller.heard]


def steer(caller: Caller, seq: int, throttle: int = 100, turn: int = 0, fire: bool = False) -> None:
    t = round(caller.sky.clock.now * 1000)
    data = pack(seq, t, Controls(throttle, turn, fire))
    instant = caller.outlet.instant  # as a socket does it
    if instant is None or not instant(data):
        caller.conn.receive(data, True)


async def test_who_comes_is_told_what_there_is_to_play(sky: Sky) -> None:
    anna = await sky.come(ANNA)
    welcome = anna.heard[0]
    assert welcome["type"] == "welcome"
    assert welcome["modes"] == [{"mode": "dogfight", "min_players": 2, "max_players": 16}]
    assert welcome["match"] is None
    await anna.ask(type="create_match")
    again = await sky.come(ANNA)
    assert again.heard[0]["match"]["match_id"] == 1


async def test_a_match_is_played_from_the_lobby_to_its_stored_result(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair(seconds=10)
    await sky.play(2.9)
    assert anna.rows(f"match.{id_}")["game"]["state"] == 1
    await sky.play(1.0, lambda step: (steer(anna, step), steer(bert, step, 90, 40, True)))
    rows = bert.rows(f"match.{id_}")
    assert rows["game"]["state"] == 2
    assert rows["p1"]["name"] == "bert"
    assert rows["p1"]["state"] == 3
    assert rows["p2"]["state"] == 0, "nobody sits there"
    assert rows["game"]["seq"][0] >= 25
    assert rows["p1.0"]["state"] == 1, "he has shot"
    assert bert.rows(f"match.{id_}.own")["p1"]["ammo"] < 24
    await sky.play(10.0)
    assert anna.rows(f"match.{id_}")["game"]["state"] == 3
    assert (await anna.ask(type="get_result", match_id=id_))["code"] == "MATCH_NOT_FINISHED"
    await sky.store()
    result = await anna.ask(type="get_result", match_id=id_)
    assert result["type"] == "match_result"
    assert [one["place"] for one in result["results"]] == [1, 1]
    assert result["winner"] is None
    assert result["steps"] == 300
    events = {"channel": f"match.{id_}.events"}.items()
    heard = [one for one in anna.heard if events <= one.items() and "kind" not in one]
    assert heard[-1]["type"] == "result"
    assert {"joined", "ready", "countdown", "started"} <= {one["type"] for one in anna.heard}
    offsets = [
        one["offset"]
        for one in heard
        if "offset" in one and one["type"] != "subscription_confirmed"
    ]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))


async def test_the_recording_of_a_match_leads_to_its_digest(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair(seconds=10)
    await sky.play(3.1)

    def each(step: int) -> None:
        steer(anna, step, step % 128, step % 90 - 45, step % 7 == 0)
        steer(bert, step, 127, 100, step % 50 < 25)

    await sky.play(10.0, each)
    match = sky.lobby.get(id_)
    assert match is not None
    await sky.store()
    stored = await sky.rows.recording(id_)
    assert stored is not None
    again = recording.replay(recording.read(stored), Dogfight, match.steps)
    assert match.game is not None
    assert again.digest == match.game.digest
    assert again.scores() == match.game.scores()
    result = await anna.ask(type="get_result", match_id=id_)
    assert int(result["digest"], 16) == again.digest


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "join_match"}, "MATCH_NOT_FOUND"),
        ({"type": "join_match", "match_id": 99}, "MATCH_NOT_FOUND"),
        ({"type": "spectate", "match_id": 99}, "MATCH_NOT_FOUND"),
        ({"type": "get_result", "match_id": 99}, "MATCH_NOT_FOUND"),
        ({"type": "create_match", "mode": "chess"}, "UNKNOWN_MODE"),
        ({"type": "create_match", "max_players": 17}, "INVALID_PAYLOAD"),
        ({"type": "ready"}, "NOT_IN_MATCH"),
        ({"type": "leave_match"}, "NOT_IN_MATCH"),
        ({"type": "rematch"}, "NOT_IN_MATCH"),
        ({"type": "input", "seq": 1}, "NOT_IN_MATCH"),
        ({"type": "input", "seq": "one"}, "INVALID_INPUT"),
        ({"type": "input"}, "INVALID_INPUT"),
    ],
)
async def test_what_cannot_be_has_a_name(sky: Sky, message: dict[str, Any], code: str) -> None:
    anna = await sky.come(ANNA)
    assert (await anna.ask(**message))["code"] == code


async def test_a_guest_watches_and_does_not_play(sky: Sky) -> None:
    _, _, id_ = await sky.pair()
    guest = await sky.come(ANONYMOUS, query={"endpoint": "public.matches"})
    assert (await guest.follow(f"match.{id_}", format="binary"))["kind"] == "table"
    assert (await guest.follow("public.matches", format="json"))["kind"] == "table"
    for type_ in ("create_match", "quick_match", "input"):
        assert (await guest.ask(type=type_, seq=1))["code"] == "UNAUTHORIZED"
    assert (await guest.follow(f"match.{id_}.own", format="binary"))[
        "code"
    ] == "SUBSCRIPTION_DENIED"


async def test_one_player_has_one_seat(sky: Sky) -> None:
    anna, _, id_ = await sky.pair()
    said = await anna.ask(type="create_match")
    assert (said["code"], said["match_id"]) == ("ALREADY_IN_MATCH", id_)
    assert (await anna.ask(type="quick_match"))["code"] == "ALREADY_IN_MATCH"
    assert (await anna.ask(type="join_match", match_id=id_))["player"] == 0, "his own again"


async def test_a_full_match_and_one_that_began_take_nobody(sky: Sky) -> None:
    _, _, id_ = await sky.pair(max_players=2)
    carl = await sky.come(CARL)
    assert (await carl.ask(type="join_match", match_id=id_))["code"] == "MATCH_FULL"
    await sky.play(3.1)
    assert (await carl.ask(type="join_match", match_id=id_))["code"] == "MATCH_STARTED"


async def test_quick_matches_fill_up_and_begin_by_themselves(sky: Sky) -> None:
    anna, bert, carl = [await sky.come(one) for one in (ANNA, BERT, CARL)]
    first = await anna.ask(type="quick_match")
    assert first["match"]["status"] == "lobby"
    second = await bert.ask(type="quick_match")
    assert second["match"]["match_id"] == first["match"]["match_id"]
    assert second["match"]["status"] == "countdown"
    assert (await carl.ask(type="quick_match"))["player"] == 2
    await sky.play(3.1)
    assert sky.lobby.counts()["live"] == 1


async def test_who_is_not_ready_any_more_stops_the_countdown(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    match = sky.lobby.get(id_)
    assert match is not None
    assert match.status == "countdown"
    assert (await bert.ask(type="ready", ready=False))["ready"] is False
    assert match.status == "lobby"
    await sky.play(4)
    assert match.status == "lobby"
    await bert.ask(type="ready")
    await sky.play(3.1)
    assert match.status == "live"
    assert (await anna.ask(type="ready"))["code"] == "MATCH_STARTED"


async def test_a_lost_player_keeps_his_seat_and_takes_it_up_again(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    await sky.play(4)
    bert.leave()
    await sky.play(29)
    again = await sky.come(BERT)
    assert again.heard[0]["match"]["match_id"] == id_
    joined = await again.ask(type="join_match", match_id=id_)
    assert joined["player"] == 1
    await again.follow(f"match.{id_}", format="binary")
    await again.follow(f"match.{id_}.own", format="binary")
    await sky.play(1, lambda step: steer(again, step))
    assert again.rows(f"match.{id_}") == anna.rows(f"match.{id_}")
    assert again.rows(f"match.{id_}")["p1"]["seq"][0] == 29
    assert {"dropped", "returned"} <= set(types(anna))
    assert set(again.rows(f"match.{id_}.own")) == {"p1"}


async def test_a_seat_that_is_not_taken_up_again_is_lost_and_the_match_ends(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    await sky.play(4)
    bert.leave()
    await sky.play(31)
    match = sky.lobby.get(id_)
    assert match is not None
    assert match.status == "finished"
    await sky.store()
    result = await anna.ask(type="get_result", match_id=id_)
    assert result["winner"] == "AnnaWa11et"
    assert [(one["wallet"], one["left"]) for one in result["results"]] == [
        ("AnnaWa11et", False), ("BertWa11et", True),
    ]  # fmt: skip
    after = [one["rating_after"] for one in result["results"]]
    assert after == [1216, 1184]
    assert await sky.rows.rating("AnnaWa11et") == 1216


async def test_a_seat_is_taken_up_again_while_the_database_is_away(
    sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bert, id_ = await sky.pair()
    await sky.play(4)
    bert.leave()

    async def away(wallet: str) -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(sky.rows, "rating", away)
    again = await sky.come(BERT)
    assert (await again.ask(type="join_match", match_id=id_))["player"] == 1
    carl = await sky.come(CARL)
    assert (await carl.ask(type="quick_match"))["code"] == "SERVICE_UNAVAILABLE"


async def test_a_match_that_everybody_left_is_abandoned(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    await anna.ask(type="leave_match")
    await bert.ask(type="leave_match")
    match = sky.lobby.get(id_)
    assert match is not None
    assert match.status == "abandoned"
    await sky.store()
    assert (await anna.ask(type="get_result", match_id=id_))["status"] == "abandoned"
    await sky.play(1)
    assert sky.lobby.get(id_) is None, "what never began is nothing to look at"
    assert sky.hub.find(f"skyduel/match.{id_}") is None
    assert (await anna.ask(type="create_match"))["type"] == "match_joined"


async def test_two_connections_of_one_player_and_the_newer_has_the_seat(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    other = await sky.come(ANNA)
    await other.ask(type="join_match", match_id=id_)
    anna.take()
    assert anna.heard[-1]["type"] == "unsubscribed" or "seat_taken" in types(anna)
    assert "seat_taken" in types(anna)
    assert (await anna.ask(type="ready"))["code"] == "NOT_IN_MATCH"
    await sky.play(3.5)
    steer(anna, 7)
    steer(other, 9)
    await sky.play(0.1)
    assert bert.rows(f"match.{id_}")["p0"]["seq"][0] == 9
    anna.leave()
    assert sky.lobby.seat_of("AnnaWa11et") is not None
    assert "dropped" not in types(bert), "the one that left had no seat any more"


async def test_a_private_match_is_for_the_invited(sky: Sky) -> None:
    anna = await sky.come(ANNA)
    made = await anna.ask(type="create_match", private=True)
    id_, invite = made["match"]["match_id"], made["invite"]
    assert len(invite) >= 8
    carl = await sky.come(CARL)
    guest = await sky.come(ANONYMOUS, query={"endpoint": "public.matches"})
    for one in (carl, guest):
        assert (await one.follow(f"match.{id_}"))["code"] == "SUBSCRIPTION_DENIED"
        assert (await one.follow(f"match.{id_}.events"))["code"] == "SUBSCRIPTION_DENIED"
    assert (await carl.ask(type="join_match", match_id=id_))["code"] == "MATCH_NOT_FOUND"
    wrong = await carl.ask(type="spectate", match_id=id_, invite="wrong")
    assert wrong["code"] == "INVALID_INVITE"
    assert (await carl.ask(type="list_matches"))["matches"] == []
    sky.hub.flush(sky.clock.now + 1)
    assert sky.lobby.table.rows() == {}
    await carl.ask(type="spectate", match_id=id_, invite=invite)
    assert (await carl.follow(f"match.{id_}", format="json"))["kind"] == "table"
    assert (await carl.follow(f"match.{id_}.own"))["code"] == "SUBSCRIPTION_DENIED"
    bert = await sky.come(BERT)
    assert (await bert.ask(type="join_match", match_id=id_, invite=invite))["player"] == 1
    assert (await bert.follow(f"match.{id_}"))["kind"] == "table"
    chief = await sky.come(ADMIN)
    assert (await chief.follow(f"match.{id_}"))["kind"] == "table"


async def test_everybody_sees_his_own_row_and_nobody_else(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    carl = await sky.come(CARL)
    await carl.follow(f"match.{id_}", format="json")
    await carl.follow(f"match.{id_}", format="legacy")
    label = f"match.{id_}.own"
    for options in ({"format": "json", "rows": ["p1"]}, {"format": "binary", "rows": ["p1"]}):
        said = await anna.follow(label, **options)
        assert said["kind"] == "table"
    await anna.follow(label)  # of older clients
    await sky.play(4, lambda step: (steer(anna, step, fire=True), steer(bert, step, fire=True)))
    assert set(anna.rows(label)) == {"p0"}
    assert set(bert.rows(label)) == {"p1"}
    assert (await carl.follow(label, rows=["p0"]))["code"] == "SUBSCRIPTION_DENIED"
    for one in (anna, bert, carl):
        one.take()
    told = orjson.dumps(carl.heard).decode()
    assert "ammo" not in told
    assert "ready_at" not in told
    told = orjson.dumps([one for one in anna.heard if one["type"] == "table"]).decode()
    assert '"p1"' not in told


async def test_who_leaves_sees_his_own_row_no_more(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    await sky.play(4)
    await bert.ask(type="leave_match")
    assert f"match.{id_}.own" not in bert.conn.subscriptions
    assert "unsubscribed" in types(bert)
    assert f"match.{id_}" in bert.conn.subscriptions, "he may go on watching"
    del anna


async def test_players_get_each_step_and_those_who_watch_a_third_of_them(sky: Sky) -> None:
    anna, _, id_ = await sky.pair()
    carl = await sky.come(CARL)
    await carl.follow(f"match.{id_}", format="binary")
    await anna.follow(f"match.{id_}.own", format="binary", rows=[])
    await sky.play(4)
    anna.take(), carl.take()
    anna.frames = carl.frames = 0
    await sky.play(3, lambda step: (anna.take(), carl.take()))
    anna.take(), carl.take()
    assert 90 <= anna.frames <= 91
    assert 29 <= carl.frames <= 31
    assert (await carl.ask(type="list_matches"))["matches"][0]["spectators"] == 1
    joined = await carl.ask(type="spectate", match_id=id_)
    assert joined["match"]["spectators"] == 1


async def test_who_watched_and_then_plays_is_served_as_a_player(sky: Sky) -> None:
    anna, carl = await sky.come(ANNA), await sky.come(CARL)
    id_ = (await anna.ask(type="create_match"))["match"]["match_id"]
    await carl.follow(f"match.{id_}", format="binary")
    assert sky.lobby.find(id_).spectators == 1
    await carl.ask(type="join_match", match_id=id_)
    assert sky.lobby.find(id_).spectators == 0
    for one in (anna, carl):
        await one.ask(type="ready")
    await sky.play(3.5)
    carl.take()
    carl.frames = 0
    await sky.play(1, lambda step: carl.take())
    carl.take()
    assert carl.frames >= 30


async def test_inputs_that_are_late_wild_or_too_many_gain_nothing_and_are_counted(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair()
    await sky.play(4)
    seat = sky.lobby.seat_of("BertWa11et")
    assert seat is not None
    steer(bert, 50)
    steer(bert, 50)
    steer(bert, 49)
    stick = seat.stick
    assert (stick.applied, stick.late) == (1, 2)
    await bert.ask(type="input", seq=60, t=0, throttle=7, turn=-9.5, fire=True)
    assert stick.clamped == 1
    assert stick.controls == (127, -127, True)
    for number in range(200):
        steer(bert, 100 + number)
    assert stick.limited >= 130
    bert.take()
    refusals = [one for one in bert.heard if one.get("code") == "RATE_LIMIT_EXCEEDED"]
    assert len(refusals) == 1, "said once, not two hundred times"
    assert refusals[0]["bucket"] == "input"
    limits = (await bert.ask(type="limits"))["input"]
    assert limits["limit"] == 60
    assert limits["remaining"] == 0
    for second in range(15):
        stick.put(sky.clock.now + second, 1000 + second, second * 2000, 0, 0, False)
    assert stick.fast > 0, "his clock runs twice as fast as ours"
    chief = await sky.come(ADMIN)
    await chief.follow("admin.matches")
    assert (await anna.follow("admin.matches"))["code"] == "SUBSCRIPTION_DENIED"
    await anna.ask(type="leave_match")
    await sky.store()
    telling = asyncio.create_task(sky.endpoint.tell())
    while "suspect" not in types(chief):
        await asyncio.sleep(0)
        sky.hub.flush(sky.clock.now)
    telling.cancel()
    (said,) = [one for one in chief.heard if one["type"] == "suspect"]
    assert (said["wallet"], said["limited"]) == ("BertWa11et", stick.limited)
    sql = "SELECT suspect FROM skyduel_results WHERE match_id = $1 AND player = 1"
    assert await sky.database.fetchval(sql, id_) == seat.suspect >= 130


async def test_a_binary_message_that_is_no_input_is_answered(sky: Sky) -> None:
    anna, _, _ = await sky.pair()
    for data, code in ((b"\x10\x01", "INVALID_INPUT"), (b"\x11" * 12, "INVALID_MESSAGE")):
        anna.heard.clear()
        anna.conn.receive(data, True)
        await anna.conn.idle()
        anna.take()
        assert anna.heard[-1]["code"] == code
    carl = await sky.come(CARL)
    carl.conn.receive(pack(1, 1, Controls()), True)
    await carl.conn.idle()
    carl.take()
    assert carl.heard[-1]["code"] == "NOT_IN_MATCH"


async def test_a_rematch_is_one_match_for_all_who_ask(sky: Sky) -> None:
    anna, bert, id_ = await sky.pair(seconds=10, score=3)
    assert (await anna.ask(type="rematch"))["code"] == "MATCH_NOT_FINISHED"
    await sky.play(14)
    first = await anna.ask(type="rematch")
    second = await bert.ask(type="rematch")
    assert first["match"]["match_id"] == second["match"]["match_id"] != id_
    assert (second["match"]["score"], second["match"]["seconds"]) == (3, 10)
    assert second["player"] == 1
    await sky.tell()
    assert "rematch" in types(bert)


async def test_the_list_of_matches_is_a_table_for_all(sky: Sky) -> None:
    guest = await sky.come(ANONYMOUS, query={"endpoint": "public.matches"})
    anna = await sky.come(ANNA)
    await anna.ask(type="create_match")
    sky.hub.flush(sky.clock.now + 1)
    await guest.follow("public.matches", format="binary")
    (row,) = guest.rows("public.matches").values()
    assert (row["status"], row["players"], row["max_players"]) == ("lobby", 1, 8)
    older = await sky.come(BERT)
    await older.follow("public.matches")
    sky.clock.now += 5
    sky.hub.flush(sky.clock.now)
    assert "matches" in types(older)


async def test_older_clients_get_whole_states(sky: Sky) -> None:
    _, _, id_ = await sky.pair()
    carl = await sky.come(CARL)
    await carl.follow(f"match.{id_}")
    await sky.play(4)
    sky.hub.flush(sky.clock.now)
    carl.take()
    said = [one for one in carl.heard if one["type"] == "match_state"][-1]
    assert {"game", "p0", "p1"} <= set(said["rows"])
    assert said["rows"]["p0"]["x"] >= 0


async def test_matches_of_a_server_that_ended_are_over(sky: Sky) -> None:
    _, _, id_ = await sky.pair()
    assert await sky.rows.forsake() == 1
    result = await sky.rows.result(id_)
    assert result is not None
    assert result[0].status == "abandoned"


async def test_a_result_is_stored_once(sky: Sky) -> None:
    anna, _, id_ = await sky.pair(seconds=10)
    await sky.play(14)
    match = sky.lobby.find(id_)
    await sky.store()
    before = await sky.rows.rating("AnnaWa11et")
    match.stored = False
    await sky.results.store(match)
    assert await sky.rows.rating("AnnaWa11et") == before
    assert await sky.database.fetchval("SELECT count(*) FROM skyduel_results") == 2
    sql = "SELECT matches FROM skyduel_ratings WHERE wallet_address = $1"
    assert await sky.database.fetchval(sql, "AnnaWa11et") == 1
    del anna


async def test_a_player_without_a_name_is_called_by_his_wallet(sky: Sky) -> None:
    nobody = structs.replace(ANNA, nickname=None)
    one = await sky.come(nobody)
    made = await one.ask(type="create_match")
    assert made["match"]["players"][0]["name"] == "Anna…11et"
