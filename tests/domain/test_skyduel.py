"""Matches without sockets: recordings, ratings, bots, the clockwork and what ends by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from fastws.config import DatabaseConfig
from fastws.domain.skyduel import Clockwork, Lobby, Match, Player, Results, Rules
from fastws.domain.skyduel.bots import Plane, fill, fly, keep_alive
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.domain.skyduel.recording import Recording, read, replay
from fastws.domain.skyduel.results import rated
from fastws.errors import StoreUnavailable, WireError
from fastws.store.pool import Database
from fastws.store.skyduel import SkyduelRows
from tests.fakes import Clock

change = st.tuples(
    st.integers(0, 500), st.integers(0, 3), st.integers(-1, 127), st.integers(-127, 127),
    st.booleans(),
)  # fmt: skip


class Table:
    """Rows of matches in place of a database."""

    def __init__(self) -> None:
        self.made = 0
        self.abandoned: list[int] = []
        self.away = False

    async def create(self, *what: Any) -> int:
        if self.away:
            raise StoreUnavailable("away")
        self.made += 1
        return self.made

    async def abandon(self, match: int) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.abandoned.append(match)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


def lobby(clock: Clock, rows: Table | None = None) -> Lobby:
    return Lobby(rows or Table(), 30, 1, clock)  # type: ignore[arg-type]


# ── recordings ───────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.lists(change, max_size=40))
def test_a_recording_is_read_as_it_was_made(seed: int, changes: list[Any]) -> None:
    made = Recording(seed, Rules(60, 3, 99), 4, (0, 2), sorted(changes, key=lambda one: one[0]))
    assert read(made.pack()) == made


@given(st.binary(max_size=200))
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="recording"):
        read(data)


def test_a_cut_recording_is_refused() -> None:
    made = Recording(5, Rules(), 4, (0, 1), [(1, 0, 5, 5, True), (2, 0, 6, 6, False)])
    body = zstandard.ZstdDecompressor().decompress(made.pack())
    for size in range(1, 10):
        with pytest.raises(ValueError, match="recording"):
            read(zstandard.ZstdCompressor().compress(body[:size]))


# ── ratings ──────────────────────────────────────────────────────────────────────────────────


def test_a_win_over_an_equal_moves_half_the_step() -> None:
    assert rated({"a": 1200, "b": 1200}, [("a", 1), ("b", 2)]) == {"a": 1216, "b": 1184}
    assert rated({"a": 1200, "b": 1200}, [("a", 1), ("b", 1)]) == {"a": 1200, "b": 1200}


@given(st.lists(st.tuples(st.integers(400, 2400), st.integers(1, 16)), min_size=2, max_size=16))
def test_ratings_move_by_what_was_surprising(players: list[tuple[int, int]]) -> None:
    before = {f"w{number}": rating for number, (rating, _) in enumerate(players)}
    places = [(f"w{number}", place) for number, (_, place) in enumerate(players)]
    after = rated(before, places)
    assert all(abs(after[wallet] - before[wallet]) <= 32 for wallet in before)
    assert abs(sum(after.values()) - sum(before.values())) <= len(players)
    best = min(places, key=lambda one: one[1])[1]
    alone = [wallet for wallet, place in places if place == best]
    if len(alone) == 1:
        assert after[alone[0]] >= before[alone[0]]


# ── bots and matches ─────────────────────────────────────────────────────────────────────────


async def bot_match(clock: Clock, hall: Lobby, **rules: int) -> Match:
    match = await hall.create(None, most=6, **rules)
    fill(hall, match, 4)
    return match


def run(clock: Clock, hall: Lobby, seconds: float) -> None:
    clockwork = Clockwork(hall, clock)
    for _ in range(round(seconds * 30)):
        clock.now += 1 / 30
        for match in hall.due():
            clockwork.step(match)


async def test_bots_play_a_match_to_its_end_and_it_plays_again_the_same() -> None:
    clock = Clock()
    hall = lobby(clock)
    match = await bot_match(clock, hall, score=5, seconds=120)
    run(clock, hall, 130)
    assert match.status == "finished"
    assert match.recording is not None
    assert match.game is not None
    assert max(score.score for _, _, score in match.places()) == 5, "they hit each other"
    assert hall.players == 0, "they are free again"
    again = replay(read(match.recording.pack()), Dogfight, match.steps)
    assert again.digest == match.game.digest
    types = {notice.type for notice in hall.notices}
    assert {"joined", "countdown", "started", "hit", "down", "respawn"} <= types


def test_a_bot_turns_to_who_is_near_and_away_from_the_edge() -> None:
    me = Plane(8000, 8000, 0, 300)
    assert fly(me, [Plane(8000, 11000, 0, 0)]).turn == 127
    assert fly(me, [Plane(8000, 5000, 0, 0)]).turn == -127
    ahead = fly(me, [Plane(9000, 8000, 0, 0)])
    assert ahead.fire
    assert abs(ahead.turn) < 10
    assert not fly(me, []).fire
    assert fly(Plane(100, 8000, 2048, 300), [Plane(50, 8000, 0, 0)]).turn in (127, -127)


async def test_matches_of_bots_are_kept_alive_and_a_lonely_player_gets_company() -> None:
    clock = Clock()
    rows = Table()
    hall = lobby(clock, rows)
    rows.away = True
    task = asyncio.create_task(keep_alive(hall, pause=0.001, clock=clock))
    await asyncio.sleep(0.02)
    rows.away = False
    await until(lambda: len(list(hall)) >= 2)
    seat = await hall.quick(Player("w", "w"))
    clock.now += 10
    await until(lambda: len(seat.match.present) >= 2)
    assert seat.match.status == "countdown"
    first = next(iter(hall))
    hall.abandon(first, "test")
    await until(lambda: sum(not match.over and not match.quick for match in hall) >= 2)
    task.cancel()


async def test_a_lobby_in_which_nothing_happens_ends() -> None:
    clock = Clock()
    hall = lobby(clock)
    match = await hall.create(Player("a", "a"))
    clock.now += 599
    hall.turn()
    assert match.status == "lobby"
    clock.now += 2
    hall.turn()
    assert match.status == "abandoned"
    assert hall.seat_of("a") is None


async def test_one_player_cannot_make_two_matches_at_once() -> None:
    hall = lobby(Clock())
    made = await asyncio.gather(
        *(hall.create(Player("a", "a")) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(one, Match) for one in made) == 1
    assert {one.code for one in made if isinstance(one, WireError)} == {"ALREADY_IN_MATCH"}


async def test_two_who_look_at_once_find_one_match() -> None:
    hall = lobby(Clock())
    seats = await asyncio.gather(*(hall.quick(Player(name, name)) for name in "ab"))
    assert seats[0].match is seats[1].match


async def test_who_leaves_after_the_end_changes_nothing() -> None:
    clock = Clock()
    hall = lobby(clock)
    match = await hall.create(Player("a", "a"), quick=True, seconds=10)
    other = hall.join(match.id, Player("b", "b"))
    run(clock, hall, 14)
    assert match.status == "finished"
    before = match.places()
    hall.leave(other)
    assert match.places() == before
    assert not other.left


async def test_who_left_has_the_last_place_whatever_his_score() -> None:
    clock = Clock()
    hall = lobby(clock)
    match = await hall.create(Player("a", "a"), quick=True, seconds=30)
    seats = [hall.join(match.id, Player(name, name)) for name in "bc"]
    run(clock, hall, 4)
    hall.leave(seats[0])
    run(clock, hall, 31)
    places = {seat.player.wallet: place for seat, place, _ in match.places()}
    assert places == {"a": 1, "c": 1, "b": 3}
    assert match.winner == "", "two were equal"


async def test_a_game_that_fails_ends_its_match_alone() -> None:
    clock = Clock()
    hall = lobby(clock)
    one, other = await bot_match(clock, hall), await hall.create(Player("a", "a"), quick=True)
    hall.join(other.id, Player("b", "b"))
    run(clock, hall, 4)

    def fail(match: Match) -> None:
        raise RuntimeError("a fault")

    one.before_step.append(fail)
    run(clock, hall, 1)
    assert one.status == "abandoned"
    assert other.status == "live"


# ── the clockwork ────────────────────────────────────────────────────────────────────────────


async def clocked(pause: float) -> tuple[int, Clockwork]:
    """Bots in a process that stands still for a while, once: the steps made at once after it."""
    clock, beat = Clock(), Clock(1000.0)
    hall = lobby(clock)
    match = await bot_match(clock, hall)
    before: list[int] = []
    after = asyncio.get_running_loop().create_future()

    async def sleep(seconds: float) -> None:
        if before and not after.done():
            after.set_result(match.steps)  # the first time that there is nothing to make up for
        if match.steps > 30 and not before:
            before.append(match.steps)
            seconds += pause
        clock.now += seconds
        beat.now += seconds
        await asyncio.sleep(0)

    clockwork = Clockwork(hall, beat, sleep=sleep)
    task = asyncio.create_task(clockwork.run())
    async with asyncio.timeout(20):
        steps = await after
    task.cancel()
    return steps - before[0], clockwork


async def test_a_short_pause_is_made_up_for_and_a_long_one_is_dropped() -> None:
    made, clockwork = await clocked(0.13)
    assert 4 <= made <= 6
    assert clockwork.late >= 1
    assert clockwork.dropped == 0
    made, clockwork = await clocked(10.0)
    assert 299 <= clockwork.dropped <= 301
    assert made <= 3


# ── results ──────────────────────────────────────────────────────────────────────────────────


async def test_results_wait_while_the_database_is_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastws.domain.skyduel.results.AGAIN_SECONDS", 0.01)
    clock = Clock()
    rows = SkyduelRows(database)
    hall = Lobby(rows, 30, 1, clock)
    away = Database("postgresql://nowhere", DatabaseConfig())
    results = Results(away, rows)
    hall.on_ended = results.ended
    match = await hall.create(Player("a", "a"), quick=True, seconds=10)
    hall.join(match.id, Player("b", "b"))
    run(clock, hall, 14)
    task = asyncio.create_task(results.run())
    await asyncio.sleep(0.05)
    assert results.waiting == 1
    clock.now += 100
    hall.turn()
    assert hall.get(match.id) is match, "it stays until it is stored"
    results._database = database
    await until(lambda: not results.waiting)
    task.cancel()
    found = await rows.result(match.id)
    assert found is not None
    assert found[0].status == "finished"
    assert len(found[1]) == 2
    hall.turn()
    assert hall.get(match.id) is None
