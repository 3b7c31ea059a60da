"""The compiled step of a dogfight against its twin, and the rules that it keeps."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastws._core import arena
from fastws._core.arena import Arena
from fastws._core.table import Column, Table
from tests.core import oracle

Inputs = list[tuple[int, int, int, int, bool]]
"""(step, seat, throttle, turn, fire)."""

COLUMNS = [
    *(Column(name, "decimal") for name in ("x", "y", "heading", "speed", "seq")),
    Column("state", "enum"),
    *(Column(name, "int") for name in ("health", "score", "deaths")),
]


def hunt(planes: list[tuple[int, ...]], seat: int, rng: random.Random) -> tuple[int, int, bool]:
    """Controls of one who turns to the nearest other and shoots: games with hits."""
    x, y, heading, *_ = planes[seat]
    others = [one for at, one in enumerate(planes) if at != seat and one[4]]
    target = min(others, key=lambda one: (one[0] - x) ** 2 + (one[1] - y) ** 2)
    cosine, sine = oracle._direction(heading)
    side = (target[1] - y) * cosine - (target[0] - x) * sine
    return rng.randrange(40, 128), (127 if side > 0 else -127), rng.random() < 0.5


def both(planes: int, seed: int, **rules: int) -> tuple[Arena, oracle.Arena]:
    return Arena(planes, seed, **rules), oracle.Arena(planes, seed, **rules)


def same(fast: Arena, slow: oracle.Arena) -> None:
    assert fast.planes_now() == slow.planes_now()
    assert fast.take_events() == slow.take_events()
    assert (fast.steps, fast.digest, fast.over) == (slow.steps, slow.digest, slow.over)


@settings(deadline=None, max_examples=60)
@given(
    planes=st.integers(2, 16),
    seed=st.integers(0, 2**64 - 1),
    hz=st.integers(20, 60),
    inputs=st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 15), st.integers(-999, 999),
            st.integers(-999, 999), st.booleans(),
        ),
        max_size=80,
    ),
)  # fmt: skip
def test_any_inputs_lead_to_the_states_of_the_twin(
    planes: int, seed: int, hz: int, inputs: Inputs
) -> None:
    sides = both(planes, seed, hz=hz, score=3, seconds=2)
    for step in range(42):
        for number, (when, seat, throttle, turn, fire) in enumerate(inputs):
            if when == step:
                for side in sides:
                    side.input(seat % planes, number, throttle, turn, fire)
        assert sides[0].step() == sides[1].step()
        same(*sides)


@pytest.mark.parametrize(("planes", "hz"), [(2, 30), (8, 30), (16, 20), (5, 60)])
def test_whole_games_are_those_of_the_twin(planes: int, hz: int) -> None:
    rng = random.Random(planes)
    fast, slow = both(planes, 69, hz=hz, score=4, seconds=60)
    kinds: set[int] = set()
    while not fast.over:
        if fast.steps == 300 and planes > 2:
            fast.remove(0)
            slow.remove(0)
        for seat in range(planes):
            controls = hunt(slow.planes_now(), seat, rng)
            fast.input(seat, fast.steps, *controls)
            slow.input(seat, slow.steps, *controls)
        assert fast.step()
        assert slow.step()
        kinds.update(kind for kind, _, _ in slow.events)
        same(fast, slow)
    assert kinds == {arena.HIT, arena.DOWNED, arena.RESPAWN}
    assert not fast.step(), "it is over"


def test_a_hundred_recorded_games_end_the_same() -> None:
    """Recorded by the compiled one, played again by both from the inputs alone."""
    rng = random.Random(1)
    for game in range(100):
        recorded: Inputs = []
        first = Arena(4, game, score=3, seconds=8)
        while not first.over:
            for seat in range(4):
                if rng.random() < 0.2:
                    controls = hunt(first.planes_now(), seat, rng)
                    recorded.append((first.steps, seat, *controls))
                    first.input(seat, first.steps, *controls)
            first.step()
        again, slow = both(4, game, score=3, seconds=8)
        for side in (again, slow):
            waiting = iter(recorded)
            following = next(waiting, None)
            while not side.over:
                while following is not None and following[0] == side.steps:
                    side.input(following[1], side.steps, *following[2:])
                    following = next(waiting, None)
                side.step()
        assert first.digest == again.digest == slow.digest


def alone(**rules: int) -> Arena:
    """Two planes far from each other, of which one does nothing."""
    return Arena(2, 5, **rules)


def test_more_inputs_than_steps_move_nobody_faster() -> None:
    eager, steady = alone(), alone()
    for number in range(90):
        for _ in range(10):
            eager.input(0, number, 127, 127, False)
        steady.input(0, number, 127, 127, False)
        eager.step()
        steady.step()
    assert eager.planes_now() == steady.planes_now()
    assert eager.digest == steady.digest


def test_controls_beyond_their_range_are_those_at_its_end() -> None:
    wild, tame = alone(), alone()
    for _ in range(60):
        wild.input(0, 1, 9999, -9999, True)
        tame.input(0, 1, 127, -127, True)
        wild.step()
        tame.step()
    assert wild.digest == tame.digest


def test_guns_cool_down_and_are_filled_again() -> None:
    game = alone()
    ammo = []
    for _ in range(400):
        game.input(0, 1, 0, 127, True)
        game.step()
        ammo.append(game.planes_now()[0][6])
    fired = [at for at in range(1, 400) if ammo[at] == ammo[at - 1] - 1]
    assert all(after - before >= 6 for before, after in itertools.pairwise(fired))
    assert min(ammo) == 0
    empty = ammo.index(0)
    assert ammo[empty + 59] == 0
    assert ammo[empty + 60] == arena.MAGAZINE


def test_a_click_between_two_steps_is_a_shot() -> None:
    game = alone()
    game.input(0, 1, 0, 0, True)
    game.input(0, 2, 0, 0, False)
    game.step()
    assert game.planes_now()[0][6] == arena.MAGAZINE - 1
    for _ in range(20):
        game.step()
    assert game.planes_now()[0][6] == arena.MAGAZINE - 1


def test_nobody_leaves_the_sky() -> None:
    game = Arena(16, 3, seconds=60)
    for step in range(1800):
        for seat in range(16):
            game.input(seat, step, 127, 5 * (seat - 8), False)
        game.step()
        for x, y, *_ in game.planes_now():
            assert 0 <= x < arena.WIDTH * 1024
            assert 0 <= y < arena.HEIGHT * 1024


def test_who_is_gone_is_neither_moved_nor_hit() -> None:
    game = alone()
    game.remove(1)
    before = game.planes_now()[1]
    for _ in range(100):
        game.input(1, 9, 127, 127, True)
        game.step()
    assert game.planes_now()[1][:8] == before[:8]


@pytest.mark.parametrize("bad", [{"planes": 1}, {"planes": 17}, {"hz": 19}, {"score": 0}])
def test_what_the_rules_do_not_have_is_refused(bad: dict[str, int]) -> None:
    rules: dict[str, Any] = {"planes": 2, "seed": 1, **bad}
    with pytest.raises(ValueError, match=r"planes|steps"):
        Arena(**rules)


def test_a_seat_that_is_not_there_is_refused() -> None:
    game = alone()
    for seat in (-1, 2):
        with pytest.raises(IndexError):
            game.input(seat, 1, 0, 0, False)


def test_a_table_shows_planes_and_each_shot_once() -> None:
    table = Table("match", COLUMNS)
    game = Arena(2, 5, score=1000)
    table.add("game")
    for row in range(2 * 9):
        table.add(f"r{row}")
    changed: dict[str, int] = {}
    with pytest.raises(IndexError):
        game.show(table, 0, 2)
    for step in range(200):
        game.input(0, step, 90, 127, True)
        game.step()
        game.show(table, 0, 1)
        tick = table.seal(0.0)
        for key in table.rows():
            changed[key] = changed.get(key, 0) + (table.ctick(key, "seq") == tick)
        x, y, heading, speed, *_ = game.planes_now()[0]
        row = table.get("r0")
        assert row is not None
        shown = [row[name][0] for name in ("x", "y", "heading", "speed", "seq")]
        assert shown == [x >> 7, y >> 7, heading >> 4, speed >> 4, step]
    shots = sum(changed[f"r{row}"] for row in range(2, 10))
    assert shots >= 24, "one change of a row for each shot"
    assert shots < 24 + 8 + 10


def test_own_rows_tell_when_the_gun_is_ready() -> None:
    own = Table("own", [Column("ammo", "int"), Column("ready_at", "int"), Column("full_at", "int")])
    game = alone()
    own.add("p0")
    own.add("p1")
    with pytest.raises(IndexError):
        game.show_own(own, 1)
    game.input(0, 1, 0, 0, True)
    game.step()
    game.show_own(own, 0)
    own.seal(0.0)
    assert own.get("p0") == {"ammo": 23, "ready_at": 7, "full_at": 0}
    assert own.get("p1") == {"ammo": 24, "ready_at": 0, "full_at": 0}
