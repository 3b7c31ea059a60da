"""Make tests/vectors/dogfight.json: flights and shots as the rules of SkyDuel have them.

    python -m tests.vectors.dogfight

They come from the readable twin of the arena; the arithmetic of the browser runs the same file.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from fastws._core import arena
from tests.core.oracle import Arena, Bullet

FILE = Path(__file__).parent / "dogfight.json"
RATES = (20, 30, 60)
STEPS = 240
EDGE = 40 * 1024
"""How far from an edge a flight begins that is to meet it."""

Start = tuple[int, int, int]
"""x, y, heading."""


def starts() -> dict[str, Start]:
    width, height = arena.WIDTH * 1024, arena.HEIGHT * 1024
    return {
        "the middle of the sky": (width // 2, height // 2, 12345),
        "the right edge": (width - EDGE, height // 3, 1000),
        "the left edge": (EDGE, height // 2, 32768 + 500),
        "the upper edge": (width // 3, EDGE, 49152 - 900),
        "the lower edge, in a corner": (width - EDGE, height - EDGE, 9000),
    }


def controls(rng: random.Random) -> list[list[int]]:
    """[steps, throttle, turn] one after the other, the first straight on at full speed."""
    made = [[STEPS // 4, 127, 0]]
    while sum(steps for steps, _, _ in made) < STEPS:
        throttle = rng.choice([0, 127, rng.randrange(128)])
        turn = rng.choice([-127, 0, 127, rng.randrange(-127, 128)])
        made.append([rng.randrange(5, 40), throttle, turn])
    return made


def flight(hz: int, where: str, start: Start, rng: random.Random) -> dict[str, Any]:
    """One plane alone that shoots all the time: its states, and where its shots were."""
    game = Arena(2, rng.getrandbits(64), hz=hz, score=1000, seconds=3600)
    game.remove(1)
    plane = game.planes[0]
    plane.x, plane.y, plane.heading = start
    flown = controls(rng)
    states = [[plane.x, plane.y, plane.heading, plane.speed]]
    shots: dict[tuple[int, int], dict[str, Any]] = {}
    for steps, throttle, turn in flown:
        for _ in range(steps):
            game.input(0, game.steps, throttle, turn, True)
            game.step()
            states.append([plane.x, plane.y, plane.heading, plane.speed])
            for slot, bullet in enumerate(game.shots[: game.slots]):
                if bullet.fired:
                    note(shots.setdefault((slot, bullet.fired), began(bullet)), bullet, game.steps)
    return {
        "where": where,
        "hz": hz,
        "controls": flown,
        "states": states,
        "shots": [shots[key] for key in sorted(shots)],
    }


def began(bullet: Bullet) -> dict[str, Any]:
    x, y = bullet.start
    return {"x": x, "y": y, "heading": bullet.heading, "fired": bullet.fired}


def note(shot: dict[str, Any], bullet: Bullet, step: int) -> None:
    """Where it is after seven steps and in its last one, and when it flew no more."""
    if "ended" in shot:
        return
    if not bullet.flying:
        shot["ended"] = step
        return
    shot["last"] = [step, bullet.x, bullet.y]
    if step <= bullet.fired + 7:
        shot["near"] = shot["last"]


def rules(hz: int) -> dict[str, int]:
    game = Arena(2, 1, hz=hz)
    return {
        "hz": hz,
        "width": game.width,
        "height": game.height,
        "slowest": game.slowest,
        "fastest": game.fastest,
        "pickup": game.pickup,
        "turn": game.turn,
        "shotSpeed": arena.SHOT_SPEED * 1024 // hz,
        "shotSteps": int(arena.SHOT_SECONDS * hz),
        "cooldown": int(arena.COOLDOWN_SECONDS * hz),
        "reload": int(arena.RELOAD_SECONDS * hz),
        "down": int(arena.DOWN_SECONDS * hz),
        "shield": int(arena.SHIELD_SECONDS * hz),
    }


def vectors() -> dict[str, Any]:
    rng = random.Random(69)
    return {
        "sine": arena.SINE[:1025],
        "sine_sum": sum(angle * value for angle, value in enumerate(arena.SINE)),
        "rules": [rules(hz) for hz in range(20, 61)],
        "flights": [
            flight(hz, where, start, rng) for hz in RATES for where, start in starts().items()
        ],
    }


def text() -> str:
    return json.dumps(vectors(), ensure_ascii=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
