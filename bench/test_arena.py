"""Why the step of a game and the stick are compiled, and what a state costs on the wire.

pytest bench/test_arena.py -s
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest

from fastws._core.arena import Arena
from fastws._core.follower import Follower
from fastws._core.limiter import Bucket
from fastws._core.stick import Stick
from fastws._core.table import Table
from fastws._core.view import View
from fastws.domain.skyduel.bots import Plane, fly, in_the_air
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.domain.skyduel.game import Rules
from tests.core import oracle

PLANES = 8


def flown(game: Any, steps: int = 300) -> None:
    """A game of eight who turn and shoot."""
    for step in range(steps):
        for seat in range(PLANES):
            game.input(seat, step, 100, (seat * 31 + step) % 255 - 127, step % 3 == 0)
        game.step()


@pytest.mark.parametrize("kind", ["compiled", "twin"])
def test_steps_of_eight_planes(benchmark: Any, kind: str) -> None:
    """300 steps with 2,400 inputs."""
    made = Arena if kind == "compiled" else oracle.Arena
    benchmark.pedantic(
        flown,
        setup=lambda: ((made(PLANES, 69, score=1000),), {}),
        rounds=10 if kind == "twin" else 50,
    )


@pytest.mark.parametrize("kind", ["compiled", "twin"])
def test_inputs(benchmark: Any, kind: str) -> None:
    """1,000 binary inputs, judged and applied."""
    inputs = [
        struct.pack("<BIIbbB", 16, seq, seq * 33, 100, seq % 200 - 100, 0) for seq in range(1000)
    ]

    def made() -> tuple[tuple[Any], dict[str, Any]]:
        if kind == "twin":
            return (oracle.Stick(1, oracle.Arena(2, 1), oracle.Bucket(1e6, 1e6)),), {}
        stick = Stick(1)
        stick.bucket = Bucket(1e6, 1e6)
        stick.begin(Arena(2, 1), [])
        return (stick,), {}

    def take(stick: Any) -> None:
        for number, data in enumerate(inputs):
            stick.take(data, 1.0 + number)

    benchmark.pedantic(take, setup=made, rounds=30)


def test_show_seal_and_encode_a_step(benchmark: Any) -> None:
    """What a step of a match costs beside the game: cells, seal, one shared frame."""
    game, table, own, followers = seen()

    def step() -> None:
        for seat in range(PLANES):
            game.apply(seat, fly(Plane(0, 0, 0, 0), []))
        game.step()
        game.show(table, own)
        table.seal(0.0)
        own.seal(0.0)
        for one in followers:
            one.flush(0.0)

    benchmark(step)


def seen() -> tuple[Dogfight, Table, Table, list[Follower]]:
    """A match with its tables, and eight who follow."""
    game = Dogfight(PLANES, range(PLANES), 69, Rules(score=1000, seconds=3600))
    table = Table("match", Dogfight.columns, common=Dogfight.common)
    own = Table("own", Dogfight.own_columns)
    for key in ("game", *Dogfight.rows(PLANES)):
        table.add(key)
    for seat in range(PLANES):
        own.add(f"p{seat}")
    game.show(table, own)
    table.seal(0.0)
    view = View(table)
    return game, table, own, [Follower(view, 1, "match.1") for _ in range(PLANES)]


def test_bytes_of_a_state() -> None:
    """A minute of bots who shoot so that sixteen shots are in the air: bytes an entity.

    A shot is a row that is told when it is fired and when it hits; between, it is arithmetic.
    """
    rng = random.Random(69)
    game, table, own, (follower, *_) = seen()
    while follower.flush(0.0) is not None and follower.more:
        pass
    frames = entities = shots = listed = 0
    firing = [0] * PLANES
    for step in range(1800):
        flying = in_the_air(game)
        for seat, me in flying.items():
            controls = fly(me, [one for other, one in flying.items() if other != seat])
            firing[seat] = firing[seat] - 1 if firing[seat] else rng.randrange(120)
            game._arena.input(seat, step, *controls._replace(fire=firing[seat] < 30))
        game.step()
        game.show(table, own)
        table.seal(0.0)
        frame = follower.flush(step / 30)
        assert frame is not None
        rows = {key: table.get(key) for key in table.rows()}
        now = [
            row
            for key, row in rows.items()
            if row is not None and "." in key and row["state"] and step - row["seq"][0] < 36
        ]
        frames += len(frame)
        shots += len(now)
        entities += len(flying) + len(now)
        shown = {
            key: {name: cell[0] if isinstance(cell, tuple) else cell for name, cell in row.items()}
            for key, row in rows.items()
            if row is not None and (key == "game" or row["state"])
        }
        listed += len(json.dumps({"type": "match_state", "rows": shown}, separators=(",", ":")))
    print(
        f"\n{frames / 1800:.1f} bytes a frame, {shots / 1800:.1f} shots in the air, "
        f"{frames / entities:.2f} bytes an entity; as JSON {listed / 1800:.0f} bytes a frame, "
        f"{listed / frames:.0f} x"
    )
    assert frames / entities <= 3
